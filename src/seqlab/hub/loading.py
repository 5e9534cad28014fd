"""Tokenizers and backbones from a folder, in the layout of KerasHub or of Hugging Face."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.errors import SeqlabError
from seqlab.extras import import_keras_hub

UNKNOWN_PIECES = ("[UNK]", "<unk>")
"""The names that vocabularies have for the unknown piece."""


def load_backbone(folder: Path, *, load_weights: bool = True) -> Any:
    """Return the `keras_hub.models.Backbone` of a folder.

    Raises:
        SeqlabError: KerasHub is missing, or cannot read the folder.
    """
    keras_hub = import_keras_hub()
    return _load(keras_hub.models.Backbone, folder, load_weights=load_weights)


class PieceTokenizer:
    """The tokenizer of a folder, for single tokens.

    Args:
        folder: in the layout of KerasHub or of Hugging Face, or written by `save`.

    Attributes:
        start, end, unknown: ids of the special pieces.

    Raises:
        SeqlabError: KerasHub is missing, cannot read the folder, or the tokenizer lacks a special piece.
    """

    def __init__(self, folder: Path) -> None:
        keras_hub = import_keras_hub()
        is_saved = not (folder / "config.json").exists() and (folder / "tokenizer.json").exists()
        if is_saved:
            self._tokenizer = _read_saved(folder)
        else:
            self._tokenizer = _load(keras_hub.models.Tokenizer, folder, **_accents(folder))
        # Byte-level vocabularies contain the blank before a word; other tokenizers ignore it.
        is_byte_level = isinstance(self._tokenizer, keras_hub.tokenizers.BytePairTokenizer)
        self._before = " " if is_byte_level else ""
        self.start, self.end = (self._special(name) for name in ("start", "end"))
        self.unknown = self._unknown()
        self._reserved = {self.start, self.end, getattr(self._tokenizer, "pad_token_id", None)}

    def __call__(self, tokens: Sequence[str]) -> list[list[int]]:
        """Return the ids of each token's pieces; empty if it has none.

        A token that is spelt like a special piece is unknown.
        """
        rows = self._tokenizer.tokenize([self._before + token for token in tokens])
        rows = rows.to_list() if hasattr(rows, "to_list") else rows
        return [
            [self.unknown if piece in self._reserved else piece for piece in np.asarray(row, int).tolist()]
            for row in rows
        ]

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of KerasHub."""
        return self._tokenizer

    def save(self, folder: Path) -> None:
        """Write the tokenizer in KerasHub's layout."""
        folder.mkdir(parents=True, exist_ok=True)
        self._tokenizer.save_to_preset(str(folder))

    def _special(self, name: str) -> int:
        piece = getattr(self._tokenizer, f"{name}_token_id", None)
        if piece is None:
            raise SeqlabError(
                f"the tokenizer has no {name} piece",
                where=type(self._tokenizer).__name__,
                expected="an encoder with a piece at the start and at the end of a sentence, as BERT has",
                remedy="name another encoder in embedder.pretrained.source",
            )
        return int(piece)

    def _unknown(self) -> int:
        known = set(self._tokenizer.get_vocabulary())
        found = (self._tokenizer.token_to_id(piece) for piece in UNKNOWN_PIECES if piece in known)
        return int(next(found, self.end))


def _read_saved(folder: Path) -> Any:
    """Return the tokenizer that `PieceTokenizer.save` wrote, which KerasHub refuses without a model."""
    import keras

    config = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer = keras.saving.deserialize_keras_object(config)
    tokenizer.load_assets(str(folder / "assets" / "tokenizer"))
    return tokenizer


def _accents(folder: Path) -> dict[str, bool]:
    """Return whether a WordPiece tokenizer of Hugging Face removes accents, which KerasHub does not read."""
    path = folder / "tokenizer_config.json"
    if not path.exists() or not (folder / "vocab.txt").exists():
        return {}
    settings = json.loads(path.read_text(encoding="utf-8"))
    strips = settings.get("strip_accents")
    return {"strip_accents": bool(settings.get("do_lower_case") if strips is None else strips)}


def _load(kind: Any, folder: Path, **settings: Any) -> Any:
    try:
        return kind.from_preset(str(folder), **settings)
    except (ImportError, OSError, ValueError, KeyError, TypeError) as error:
        is_missing = isinstance(error, ImportError)
        raise SeqlabError(
            "KerasHub cannot load the pretrained encoder",
            where=str(folder),
            expected="config.json, weights and a tokenizer, in the layout of KerasHub or Hugging Face",
            received=f"{type(error).__name__}: {error}",
            remedy="make extras" if is_missing else "complete the folder, or name another encoder",
        ) from error
