"""Properties of characters as tables indexed by code point, for look-up in a graph."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from seqlab.batching.features import character_class, fold_character
from seqlab.serving.token_boundaries import APOSTROPHE, BREAK, SPACE, WORD

_CHARACTERS = [chr(code_point) for code_point in range(0x40000)]
"""The first four planes: there are no letters, digits or punctuation beyond them."""

_MORE_SPACES = "\u200b\ufeff"
_WORD_PUNCTUATION = ".@#*/\\·_-‐‑"
_BREAKS = ("Ps", "Pe", "Pi", "Pf", "Po", "Pd", "Sc")


def normal_forms(*, lowercase: bool) -> np.ndarray:
    """Return the code point that replaces each code point in `normalize_token`, int32 (n,).

    Digits become 0 and, if `lowercase`, letters lower case. Code points from n on are not replaced.
    """
    folded = [fold_character(c) if lowercase else c for c in _CHARACTERS]
    digits = [character_class(c) == "d" for c in _CHARACTERS]
    return _replacements(["0" if digit else c for digit, c in zip(digits, folded, strict=True)])


def shape_classes() -> np.ndarray:
    """Return the code point of each code point's `character_class`, int32 (n,); from n on it is its own."""
    return _replacements([character_class(c) for c in _CHARACTERS])


def category_ranges(category: str) -> list[list[int]]:
    """Return the first and the last code point of each run of characters of a Unicode category.

    Args:
        category: a category (`Lu`) or the first letter of several (`L`).
    """
    return ranges([i for i, c in enumerate(_CHARACTERS) if unicodedata.category(c).startswith(category)])


def ranges(code_points: Sequence[int]) -> list[list[int]]:
    """Return ascending code points as pairs of the first and the last one of each run."""
    found: list[list[int]] = []
    for code_point in code_points:
        if found and found[-1][1] == code_point - 1:
            found[-1][1] = code_point
        else:
            found.append([code_point, code_point])
    return found


def token_kinds() -> np.ndarray:
    """Return the kind of each code point, int32 (n,); all from n - 1 on are WORD."""
    kinds = np.array([_kind(c) for c in _CHARACTERS], np.int32)
    return kinds[: int(np.flatnonzero(kinds != WORD)[-1]) + 2]


def _kind(character: str) -> int:
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc" or character in _MORE_SPACES:
        return SPACE
    if character in "'’":
        return APOSTROPHE
    if character in _WORD_PUNCTUATION:
        return WORD
    return BREAK if category in _BREAKS or character in "<>`" else WORD


def _replacements(characters: list[str]) -> np.ndarray:
    """Return the code points of `characters` up to the last that differs from its index."""
    table = np.array([ord(c) for c in characters], np.int32)
    return table[: int(np.flatnonzero(table != np.arange(len(table)))[-1]) + 1]
