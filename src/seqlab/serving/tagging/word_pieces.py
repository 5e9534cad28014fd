"""Tokens to the pieces of a pretrained encoder in Python; `serving.graph.word_pieces` does it in a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WORD_END = "\n"
"""Separates words in what replaces a character; no word contains it, because it is white space."""


class WordPieces:
    """Cut tokens into the pieces of a WordPiece vocabulary, by greedy longest match (Wu et al. 2016).

    Args:
        rules: `pieces` of `tagger.json`.
    """

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self._ids = {piece: i for i, piece in enumerate(rules["vocabulary"])}
        self._replacements = str.maketrans(character_replacements(rules))
        self._suffix: str = rules["suffix"]
        self._unknown = self._ids[rules["unknown"]]
        self._max_bytes: int = rules["max_word_bytes"]
        self._longest = longest_piece(rules)

    def __call__(self, tokens: Sequence[str]) -> list[list[int]]:
        """Return the ids of each token's pieces, at least one: if it has none, that of an unknown word."""
        return [
            [i for word in token.translate(self._replacements).split(WORD_END) for i in self._cut(word)]
            or [self._unknown]
            for token in tokens
        ]

    def _cut(self, word: str) -> list[int]:
        if len(word.encode("utf-8", "replace")) > self._max_bytes:
            return [self._unknown]
        pieces: list[int] = []
        start = 0
        while start < len(word):
            prefix = self._suffix if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                piece = self._ids.get(prefix + word[start:end])
                if piece is not None:
                    break
            else:
                return [self._unknown]
            pieces.append(piece)
            start = end
        return pieces


def character_replacements(rules: Mapping[str, Any]) -> dict[str, str]:
    """Return what replaces each character that does not stay as it is, with `WORD_END` between words."""
    single = (chr(i) for first, last in rules["single"] for i in range(first, last + 1))
    return {character: f"{WORD_END}{character}{WORD_END}" for character in single} | rules["characters"]


def longest_piece(rules: Mapping[str, Any]) -> int:
    """Return the most characters that a piece covers."""
    return max(len(piece) for piece in rules["vocabulary"])
