"""What Python knows of characters, as tables that a graph can look up by code point."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

from seqlab.batching.features import character_class, fold_character

SPACE, BREAK, APOSTROPHE, WORD = range(4)
"""Kinds of characters that the tokeniser tells apart."""

_END = 0x40000
"""Beyond these four planes there are no letters, digits or punctuation."""

_APOSTROPHES = "'’"
_WORD_PUNCTUATION = ".@#*/\\·_-‐‑"
_MORE_SPACES = "\u200b\ufeff"
_BREAKS = frozenset(("Ps", "Pe", "Pi", "Pf", "Po", "Pd", "Sc"))


def normal_forms(*, lowercase: bool) -> np.ndarray:
    """The code point under which each code point is looked up, int32 (n,); those from n on stay as they are.

    Digits become 0 and, if asked, letters lower case, as `normalize_token` does.
    """
    digits = np.array([character_class(character) == "d" for character in _characters()])
    folded = np.array([ord(fold_character(c)) if lowercase else ord(c) for c in _characters()], np.int32)
    return _without_identity_tail(np.where(digits, ord("0"), folded).astype(np.int32))


def shape_classes() -> np.ndarray:
    """The code point of each code point's class, int32 (n,), as `character_class`; from n on, itself."""
    return _without_identity_tail(np.array([ord(character_class(c)) for c in _characters()], np.int32))


def token_kinds() -> np.ndarray:
    """SPACE, BREAK, APOSTROPHE or WORD for each code point, int32 (n,); those from n on are WORD."""
    kinds = np.array([_kind(character) for character in _characters()], np.int32)
    return kinds[: int(np.flatnonzero(kinds != WORD)[-1]) + 1]


def _kind(character: str) -> int:
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc" or character in _MORE_SPACES:
        return SPACE
    if character in _APOSTROPHES:
        return APOSTROPHE
    if character in _WORD_PUNCTUATION:
        return WORD
    return BREAK if category in _BREAKS or character in "<>`" else WORD


@cache
def _characters() -> list[str]:
    return [chr(code_point) for code_point in range(_END)]


def _without_identity_tail(table: np.ndarray) -> np.ndarray:
    changed = np.flatnonzero(table != np.arange(len(table)))
    return table[: int(changed[-1]) + 1]
