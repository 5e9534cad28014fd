"""Features computed from a token's surface form alone."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from seqlab.batching.vocabulary import Vocabulary
from seqlab.tags import UNKNOWN_ID


@lru_cache(maxsize=1 << 14)
def fold_character(character: str) -> str:
    """Lower-case a character, unless its lower case is longer than one character."""
    lower = character.lower()
    return lower if len(lower) == 1 else character


@lru_cache(maxsize=1 << 14)
def character_class(character: str) -> str:
    """Return `d` for a decimal digit, `X` for an upper-case letter, `x` for another letter, else itself."""
    category = unicodedata.category(character)
    if category == "Nd":
        return "d"
    if category == "Lu":
        return "X"
    return "x" if category.startswith("L") else character


def normalize_token(token: str, *, lowercase: bool) -> str:
    """Return the form under which a token is looked up: digits become 0, and case is folded if asked.

    Each character is replaced by one character, so that an exported graph can do the same from a table.
    """
    form = "".join("0" if character_class(character) == "d" else character for character in token)
    return "".join(map(fold_character, form)) if lowercase else form


def token_shape(token: str) -> str:
    """Return the token's word shape: the classes of its characters, with runs shortened to two.

    `token_shape("McDonald's") == "XxXxx'x"` and `token_shape("1996-08-22") == "dd-dd-dd"`.
    """
    shape: list[str] = []
    for character in token:
        kind = character_class(character)
        if shape[-2:] != [kind, kind]:
            shape.append(kind)
    return "".join(shape)


def character_ids(token: str, vocabulary: Vocabulary, *, max_token_length: int) -> list[int]:
    """Return the ids of the token's characters, right-padded with 0 to `max_token_length`.

    A longer token keeps its first and last halves, because prefixes and suffixes are the most informative.
    """
    if len(token) > max_token_length:
        head = (max_token_length + 1) // 2
        token = token[:head] + token[len(token) - (max_token_length - head) :]
    ids = vocabulary.ids(list(token)) or [UNKNOWN_ID]
    return ids + [0] * (max_token_length - len(ids))
