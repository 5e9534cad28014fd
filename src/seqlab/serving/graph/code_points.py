"""Properties of characters as tables indexed by code point, for look-up in a graph."""

from __future__ import annotations

from functools import cache

import numpy as np

from seqlab.batching.features import character_class, fold_character
from seqlab.text.tokenizer_rules import characters


@cache
def normal_forms(*, lowercase: bool) -> np.ndarray:
    """Return the code point that replaces each code point in `normalize_token`, int32 (n,).

    Digits become 0 and, if `lowercase`, letters lower case. Code points from n on are not replaced.
    """
    folded = [fold_character(c) if lowercase else c for c in characters()]
    digits = [character_class(c) == "d" for c in characters()]
    return _replacements(["0" if digit else c for digit, c in zip(digits, folded, strict=True)])


def shape_classes() -> np.ndarray:
    """Return the code point of each code point's `character_class`, int32 (n,); from n on it is its own."""
    return _replacements([character_class(c) for c in characters()])


def _replacements(characters: list[str]) -> np.ndarray:
    """Return the code points of `characters` up to the last that differs from its index."""
    table = np.array([ord(c) for c in characters], np.int32)
    return table[: int(np.flatnonzero(table != np.arange(len(table)))[-1]) + 1]
