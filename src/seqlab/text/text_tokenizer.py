"""Raw text to tokens and their offsets in NumPy, exactly as `serving.graph.tokenizer` does in a graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqlab.text.token_boundaries import APOSTROPHE, BREAK, SPACE, WORD, find_boundaries

_DELETE = 127
"""A code point of no rule, which stands for every character beyond ASCII."""


class TokenizedTexts(NamedTuple):
    """The N tokens of B texts.

    Args:
        tokens: the tokens of all texts.
        row_lengths: int64 (B,), the number of tokens in each text.
        starts, ends: int64 (N,), offsets in the token's text in characters, end exclusive.
    """

    tokens: list[str]
    row_lengths: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


class TextTokenizer:
    """Tokenise texts by the rules in the docstring of `text.tokenizer_rules`.

    Args:
        rules: what `tokenizer_rules` returns, or the content of an export's `tagger.json`.
    """

    def __init__(self, rules: Mapping[str, Any]) -> None:
        tokenizer = rules["tokenizer"]
        kinds = {"space": SPACE, "break": BREAK, "apostrophe": APOSTROPHE}
        last = max(ranges[-1][1] for ranges in (tokenizer[name] for name in kinds) if ranges)
        self._kinds = np.full(last + 2, WORD, np.int8)
        for name, kind in kinds.items():
            for first, stop in tokenizer[name]:
                self._kinds[first : stop + 1] = kind
        self._abbreviations = set(tokenizer["abbreviations"])
        self._before_numbers = set(tokenizer["abbreviations_before_numbers"])
        letter, capital, number, digit = (
            character_class(rules["categories"][name]) for name in ("L", "Lu", "N", "Nd")
        )
        self._inner_periods = re.compile(rf"(?:{letter}\.)+{letter}")
        self._capital = re.compile(capital)
        self._word_start = re.compile(f"{letter}|{number}")
        self._number_start = re.compile(digit)

    def __call__(self, texts: Sequence[str]) -> TokenizedTexts:
        """Tokenise texts, which contain no surrogates."""
        joined = "".join([f" {text}" for text in texts]) + " "
        characters = _Characters(joined, self._kinds)
        is_space, boundaries = characters.is_space, find_boundaries(characters)
        begins = np.flatnonzero(~is_space & boundaries)
        ends = np.flatnonzero(~is_space & characters.at(is_space | boundaries, 1)) + 1
        counts = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
        text_starts = np.cumsum(counts) - counts
        rows = np.searchsorted(text_starts, begins, side="right") - 1
        joins = self._periods_to_join(joined, begins, ends, rows)
        if joins:
            ends[np.array(joins) - 1] += 1
            begins, ends, rows = (np.delete(x, joins) for x in (begins, ends, rows))
        tokens = [joined[a:b] for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]
        first = text_starts[rows] + 1
        row_lengths = np.bincount(rows, minlength=len(texts))
        return TokenizedTexts(tokens, row_lengths, begins - first, ends - first)

    def _periods_to_join(
        self, joined: str, begins: np.ndarray, ends: np.ndarray, rows: np.ndarray
    ) -> list[int]:
        """Return which tokens are the period of the abbreviation directly before them."""
        is_adjacent = np.flatnonzero(begins[1:] == ends[:-1]) + 1
        periods = is_adjacent[ends[is_adjacent] == begins[is_adjacent] + 1]
        return [i for i in periods.tolist() if self._joins(joined, begins, ends, rows, i)]

    def _joins(self, joined: str, begins: np.ndarray, ends: np.ndarray, rows: np.ndarray, i: int) -> bool:
        if joined[begins[i]] != ".":
            return False
        token = joined[begins[i - 1] : begins[i]]
        # Lower case is that of ASCII: the Kelvin sign is no k.
        lower = token.lower() if token.isascii() else token
        if lower in self._abbreviations or self._inner_periods.fullmatch(token):
            return True
        if i + 1 == len(begins) or rows[i + 1] != rows[i]:
            return False
        following = joined[begins[i + 1]]
        if self._capital.fullmatch(token) and self._word_start.match(following):
            return True
        return lower in self._before_numbers and self._number_start.match(following) is not None


def character_class(ranges: Sequence[Sequence[int]]) -> str:
    r"""Return code points as a character class of a regular expression of Python's (`[\U00000041-...]`)."""
    return "[" + "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in ranges) + "]"


class _Characters:
    """`token_boundaries.Characters` in NumPy."""

    def __init__(self, joined: str, kinds: np.ndarray) -> None:
        self.code_points = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
        self.kinds = kinds[np.minimum(self.code_points, len(kinds) - 1)]
        self._ascii = np.minimum(self.code_points, _DELETE).astype(np.uint8)
        self.is_space = self.kinds == SPACE
        self.is_digit = self.is_any("0123456789")
        self.may_contain_addresses = "://" in joined or "@" in joined

    def is_any(self, characters: str) -> np.ndarray:
        table = np.zeros(_DELETE + 1, np.bool_)
        table[[ord(c) for c in characters + characters.upper()]] = True
        return table[self._ascii]

    @staticmethod
    def at(values: np.ndarray, distance: int) -> np.ndarray:
        shifted = np.zeros_like(values)
        if distance > 0:
            shifted[:-distance] = values[distance:]
        else:
            shifted[-distance:] = values[:distance]
        return shifted

    @staticmethod
    def to_int(flags: np.ndarray) -> np.ndarray:
        return flags.astype(np.int64)

    @staticmethod
    def cumsum(values: np.ndarray) -> np.ndarray:
        return np.cumsum(values)

    def chunk_min(self, values: np.ndarray) -> np.ndarray:
        return self._by_chunk(np.minimum, values)

    def chunk_max(self, values: np.ndarray) -> np.ndarray:
        return self._by_chunk(np.maximum, values)

    def _by_chunk(self, reduction: np.ufunc, values: np.ndarray) -> np.ndarray:
        starts = np.flatnonzero(self.is_space)
        result: np.ndarray = reduction.reduceat(values, starts)[np.cumsum(self.is_space) - 1]
        return result
