"""Small taggers with random weights. Each is exported once per test session, and each export loaded once."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.features import normalize_token, token_shape
from seqlab.batching.vocabulary import Vocabulary
from seqlab.modeling.embedder import TokenFeatureEmbedder
from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.encoders.transformer import TransformerEncoder
from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.tagger import Tagger
from seqlab.serving.export_config import export_config
from seqlab.serving.export_files import file_digests
from seqlab.serving.onnx.onnx_export import export_onnx
from seqlab.serving.onnx.onnx_tagging import export_tagging
from seqlab.serving.saved_model import export_saved_model
from seqlab.tags import transition_constraints

MAX_LENGTH, OVERLAP = 12, 3
WINDOW: dict[str, int] = {"max_length": MAX_LENGTH, "overlap": OVERLAP}

SENTENCES = [
    "Marie Curie was born in Warsaw .",
    "Dr. Smith 's train left New York City at 10:30 in May 1996 .",
    "May I see the supercalifragilisticexpialidocious ÉCOLE in Zürich , it 's 42 % ?",
    "日本 and ﷽ are ٣ words — do n't stop believing , O'Brien said .",
    "one",
    "a long sentence that does not fit into a window of twelve tokens is cut into three of them , and put "
    "together again , so that Paris and London are found wherever they stand .",
]
TOKENS = [sentence.split(" ") for sentence in SENTENCES]
TAGS = {
    "ner": ["O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "E-LOC", "S-LOC"],
    "pos": ["NOUN", "VERB", "PROPN", "PUNCT", "DET"],
}
CORPUS: dict[str, Any] = {
    "corpus": "tiny",
    "title": "six sentences",
    "licence": "Apache-2.0",
    "synthetic": True,
    "digest": "d" * 64,
    "column": "ner",
    "auxiliary_columns": ["upos", "xpos"],
    "splits": {split: {"sentences": 6, "tokens": 91} for split in ("train", "dev", "test")},
}


@dataclass(frozen=True)
class TinyTagger:
    """A tagger with random weights, and its vocabularies."""

    kind: str
    tagger: Tagger
    encoder: FeatureEncoder
    tags: Vocabulary

    @property
    def spans(self) -> bool:
        return self.kind == "ner"


@cache
def make_encoder() -> FeatureEncoder:
    """Return vocabularies of the sentences that lack some of their tokens, characters and shapes."""
    tokens = Counter(token for sentence in TOKENS for token in sentence)
    known = [token for token in tokens if token not in ("believing", "London")]
    return FeatureEncoder(
        tokens=Vocabulary(sorted({normalize_token(token, lowercase=True) for token in known})),
        characters=Vocabulary(sorted({character for token in known for character in token} - {"É"})),
        shapes=Vocabulary(sorted({token_shape(token) for token in known[:30]})),
        lowercase=True,
        max_token_length=7,
    )


def make_tagger(
    kind: str,
    *,
    encoder: str | None = None,
    characters: str = "cnn",
    positions: str = "relative",
    head: str = "softmax",
    precision: str = "float32",
) -> TinyTagger:
    """Return a tagger with random weights; by default a Transformer for `ner` and a BiLSTM for `pos`."""
    keras.utils.set_random_seed(7)
    keras.config.set_dtype_policy(precision)
    features, tags = make_encoder(), Vocabulary(TAGS[kind])
    allowed = transition_constraints(tags.entries, scheme="BIOES") if kind == "ner" else None
    if (encoder or {"ner": "transformer", "pos": "bilstm"}[kind]) == "transformer":
        body = TransformerEncoder(
            num_layers=2,
            hidden_dim=16,
            num_heads=2,
            intermediate_dim=24,
            positions=positions,
            max_length=MAX_LENGTH,
            name="encoder",
        )
    else:
        body = BiLSTMEncoder(num_layers=2, units=8, name="encoder")
    tagger = Tagger(
        name="tagger",
        embedder=TokenFeatureEmbedder(
            token_vocabulary_size=len(features.tokens),
            token_embedding_dim=8,
            token_frozen_size=5,
            characters=characters,
            character_vocabulary_size=len(features.characters),
            character_embedding_dim=4,
            character_filters=8,
            shape_vocabulary_size=len(features.shapes),
            name="embedder",
        ),
        encoder=body,
        head=(CRFHead if head == "crf" else SoftmaxHead)(
            num_tags=len(tags),
            start_allowed=allowed and allowed.start,
            end_allowed=allowed and allowed.end,
            transitions_allowed=allowed and allowed.transitions,
            name="head",
        ),
    )
    keras.config.set_dtype_policy("float32")
    ids = np.ones((1, 3), np.int32)
    tagger({"token_ids": ids, "char_ids": np.ones((1, 3, 7), np.int32), "shape_ids": ids})
    random = np.random.default_rng(5)
    # Weights are larger than initial ones, so that tags differ from token to token.
    for weight in tagger.weights:
        if str(weight.dtype).startswith("float"):
            noise = random.normal(0, 0.1 if len(weight.shape) == 1 else 0.7, weight.shape)
            weight.assign(np.asarray(weight) + noise if len(weight.shape) == 1 else noise)
    return TinyTagger(kind=kind, tagger=tagger, encoder=features, tags=tags)


@cache
def tiny_tagger(kind: str) -> TinyTagger:
    """Return the tagger that `tiny_export` exports."""
    return make_tagger(kind, head="softmax" if kind == "ner" else "crf")


def write_onnx(tiny: TinyTagger, path: Path, **options: Any) -> None:
    export_onnx(tiny.tagger, path, max_token_length=tiny.encoder.max_token_length, **WINDOW, **options)


def write_tagging(tiny: TinyTagger, directory: Path) -> None:
    export_tagging(tiny.tagger, directory, encoder=tiny.encoder, tags=tiny.tags, spans=tiny.spans, **WINDOW)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@cache
def tiny_export(kind: str) -> Path:
    """Write an export as the stage does, but without the model card."""
    tiny = tiny_tagger(kind)
    directory = Path(_folder().name) / kind
    export_saved_model(
        tiny.tagger, directory, encoder=tiny.encoder, tags=tiny.tags, spans=tiny.spans, **WINDOW
    )
    write_onnx(tiny, directory / "model.onnx")
    write_tagging(tiny, directory)
    config = export_config(
        task=kind,
        tag_scheme="BIOES" if tiny.spans else None,
        tags=tiny.tags.entries,
        corpus=CORPUS,
        scores={"test": {"tokens": 91, "token_accuracy": 0.5}},
        run={"run_id": "r1", "experiment": f"seqlab-{kind}"},
        **WINDOW,
    )
    config["files"] = file_digests(directory)
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return directory


_load = cache(tf.saved_model.load)


def load_once(path: str) -> Any:
    """Load a SavedModel, or return the one that is already loaded; a replacement of `tf.saved_model.load`."""
    return _load(str(Path(path).resolve()))
