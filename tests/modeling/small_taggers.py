"""Small taggers of every kind, and batches for them."""

from __future__ import annotations

import keras
import numpy as np

from seqlab.modeling.embedder import TokenFeatureEmbedder
from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.encoders.no_encoder import NoEncoder
from seqlab.modeling.encoders.transformer import TransformerEncoder
from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.optimizer import make_optimizer
from seqlab.modeling.tagger import Tagger

NUM_TAGS, NUM_TOKENS, NUM_CHARACTERS, NUM_SHAPES, TOKEN_LENGTH = 6, 30, 12, 5, 4
KINDS = [
    ("transformer", "softmax", "cnn"),
    ("transformer", "crf", "attention"),
    ("absolute", "softmax", "none"),
    ("bilstm", "crf", "bilstm"),
    ("none", "crf", "pretrained"),
]
"""Encoder, head, and the character encoder or `pretrained`, of each kind."""
TINY_BERT = {
    "architecture": "BertBackbone",
    "settings": {
        "vocabulary_size": 20,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 8,
        "intermediate_dim": 8,
        "max_sequence_length": 130,
    },
    "pooling": "mean",
    "layers": "mix",
}


def small_tagger(
    encoder: str = "transformer", head: str = "softmax", characters: str = "cnn", **embedder
) -> Tagger:
    """A built and compiled tagger with few weights, by default without dropout."""
    encoders = {
        "transformer": lambda: TransformerEncoder(
            num_layers=1, hidden_dim=16, num_heads=2, intermediate_dim=32, positions="relative"
        ),
        "absolute": lambda: TransformerEncoder(
            num_layers=1, hidden_dim=16, num_heads=2, intermediate_dim=32, positions="absolute", max_length=64
        ),
        "bilstm": lambda: BiLSTMEncoder(num_layers=1, units=8),
    }
    encoders["none"] = NoEncoder
    heads = {"softmax": SoftmaxHead, "crf": CRFHead}
    if characters == "pretrained":
        characters = "none"
        embedder = {"pretrained": TINY_BERT, **embedder}
    tagger = Tagger(
        embedder=TokenFeatureEmbedder(
            token_vocabulary_size=NUM_TOKENS,
            token_embedding_dim=8,
            characters=characters,
            character_vocabulary_size=NUM_CHARACTERS,
            character_embedding_dim=4,
            character_filters=8,
            shape_vocabulary_size=NUM_SHAPES,
            **embedder,
        ),
        encoder=encoders[encoder](),
        head=heads[head](num_tags=NUM_TAGS),
    )
    tagger(random_batch([3], length=4)[0])
    tagger.compile(
        optimizer=make_optimizer(learning_rate=0.01, warmup_steps=2, total_steps=200), jit_compile=False
    )
    return tagger


def random_batch(
    lengths: list[int], *, length: int, seed: int = 0, token_length: int = TOKEN_LENGTH
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """A batch as in the batch contract; each row depends only on the seed, its index and its length."""
    shape = (len(lengths), length)
    features = {
        "token_ids": np.zeros(shape, np.int32),
        "char_ids": np.zeros((*shape, token_length), np.int32),
        "shape_ids": np.zeros(shape, np.int32),
    }
    features |= {name: np.zeros(shape, np.int32) for name in ("piece_starts", "piece_counts")}
    features["piece_ids"] = np.zeros((len(lengths), 2 * length + 3), np.int32)
    tag_ids = np.zeros(shape, np.int32)
    for row, n in enumerate(lengths):
        rng = np.random.default_rng([seed, row, n])
        features["token_ids"][row, :n] = rng.integers(1, NUM_TOKENS, n)
        features["shape_ids"][row, :n] = rng.integers(1, NUM_SHAPES, n)
        for position in range(n):
            characters = int(rng.integers(1, TOKEN_LENGTH + 1))
            features["char_ids"][row, position, :characters] = rng.integers(1, NUM_CHARACTERS, characters)
        counts = features["piece_counts"][row, :n] = 1 + features["token_ids"][row, :n] % 2
        features["piece_starts"][row, :n] = 1 + np.cumsum(counts) - counts
        total = counts.sum() + 2
        features["piece_ids"][row, :total] = np.random.default_rng([seed, row, n]).integers(0, 20, total)
        tag_ids[row, :n] = 2 + features["token_ids"][row, :n] % (NUM_TAGS - 2)
    return features, tag_ids, (features["token_ids"] > 0).astype(np.float32)


def logits_of(tagger: keras.Model, features: dict[str, np.ndarray]) -> np.ndarray:
    """Logits in evaluation, computed eagerly."""
    return np.asarray(tagger(features, training=False))
