"""Tiny, randomly initialised pretrained encoders of each family, with tokenizers, in KerasHub's layout."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

MAX_PIECES = 24
SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8}
WORDS = ["ann", "bo", "cy", "new", "york", "oslo", "rome", "saw", "it", "w", ".", "a", "b", "n", "o", "x"]
SENTENCES = ["ann saw new york .", "bo saw it in rome", "cy w w w", "new york oslo rome a b n o x"] * 5
FAMILIES = ("Bert", "DistilBert", "Electra", "Roberta", "XLMRoberta", "DebertaV3")


def write_tiny_encoder(folder: Path, family: str = "Bert") -> Path:
    """Write an encoder of a family into a folder, and return the folder."""
    import keras
    import keras_hub

    keras.utils.set_random_seed(1)
    tokenizer = getattr(keras_hub.models, f"{family}Tokenizer")(**_tokenizer_settings(family))
    size_name = "vocab_size" if family == "Electra" else "vocabulary_size"
    settings: dict[str, Any] = {**SIZES, size_name: tokenizer.vocabulary_size()}
    settings["max_sequence_length"] = MAX_PIECES
    if family == "Electra":
        settings["embedding_dim"] = 4
    if family == "DebertaV3":
        settings["bucket_size"] = 4
    backbone = getattr(keras_hub.models, f"{family}Backbone")(**settings)
    folder.mkdir(parents=True, exist_ok=True)
    backbone.save_to_preset(str(folder))
    tokenizer.save_to_preset(str(folder))
    return folder


def _tokenizer_settings(family: str) -> dict[str, Any]:
    if family in ("Bert", "DistilBert", "Electra"):
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        return {"vocabulary": [*special, *WORDS, *(f"##{word}" for word in WORDS)], "lowercase": True}
    if family == "Roberta":
        from keras_hub.src.tokenizers.byte_pair_tokenizer import bytes_to_unicode

        pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *bytes_to_unicode()[1], "an", "Ġs", "Ġsa"]
        return {"vocabulary": {piece: i for i, piece in enumerate(pieces)}, "merges": ["a n", "Ġ s", "Ġs a"]}
    if family == "XLMRoberta":
        return {"proto": _sentencepiece(unk_id=0, bos_id=1, eos_id=2)}
    pieces = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    ids = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    return {"proto": _sentencepiece(**ids, **pieces, user_defined_symbols=["[MASK]"])}


def _sentencepiece(**settings: Any) -> bytes:
    """Train a unigram model."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=model,
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
        **settings,
    )
    return model.getvalue()
