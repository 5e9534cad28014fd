"""Raw text to tokens and their offsets in NumPy, exactly as `serving.graph.tokenizer` does in a graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

_SPACE, _BREAK, _APOSTROPHE, _WORD = range(4)
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
    """Tokenise texts by the rules in `serving/graph/tokenizer.py`.

    Args:
        rules: the content of `tagger.json`.
    """

    def __init__(self, rules: Mapping[str, Any]) -> None:
        tokenizer = rules["tokenizer"]
        kinds = {"space": _SPACE, "break": _BREAK, "apostrophe": _APOSTROPHE}
        last = max(ranges[-1][1] for ranges in (tokenizer[name] for name in kinds) if ranges)
        self._kinds = np.full(last + 2, _WORD, np.int8)
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
        characters = _Characters(np.frombuffer(joined.encode("utf-32-le"), np.uint32), self._kinds)
        is_space, boundaries = characters.is_space, _boundaries(characters, joined)
        begins = np.flatnonzero(~is_space & boundaries)
        ends = np.flatnonzero(~is_space & _at(is_space | boundaries, 1)) + 1
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
    """The characters of all texts, with a blank before each text and one at the end."""

    def __init__(self, code_points: np.ndarray, kinds: np.ndarray) -> None:
        self.code_points = code_points
        self.kinds = kinds[np.minimum(code_points, len(kinds) - 1)]
        self.is_space = self.kinds == _SPACE
        self._ascii = np.minimum(code_points, _DELETE).astype(np.uint8)

    def is_any(self, characters: str) -> np.ndarray:
        """Return whether each character is one of these, in lower or upper case, bool (characters,)."""
        table = np.zeros(_DELETE + 1, np.bool_)
        table[[ord(c) for c in characters + characters.upper()]] = True
        return table[self._ascii]

    @property
    def is_digit(self) -> np.ndarray:
        return self.is_any("0123456789")


def _at(flags: np.ndarray, distance: int) -> np.ndarray:
    """Return `flags` shifted by `distance`: entry i is `flags[i + distance]`, False (0) beyond the edges."""
    shifted = np.zeros_like(flags)
    if distance > 0:
        shifted[:-distance] = flags[distance:]
    else:
        shifted[-distance:] = flags[:distance]
    return shifted


def _boundaries(c: _Characters, joined: str) -> np.ndarray:
    """Return whether a token begins at each non-blank character, before abbreviations are joined."""
    is_break, is_word, is_apostrophe = (c.kinds == kind for kind in (_BREAK, _WORD, _APOSTROPHE))
    equals_next = c.code_points == _at(c.code_points, 1)
    equals_previous = c.code_points == _at(c.code_points, -1)
    is_run = c.is_any(".-'`!?$<>") & (equals_previous | equals_next)
    apostrophe = is_apostrophe & ~is_run
    period = c.is_any(".") & ~is_run
    final_period = period & _at(c.is_space | is_break | is_apostrophe | is_run, 1)
    ends_word = c.is_space | is_break | is_apostrophe | final_period | is_run

    short = _at(c.is_any("smd"), 1) & _at(ends_word, 2)
    pairs = [_at(c.is_any(pair[0]), 1) & _at(c.is_any(pair[1]), 2) for pair in ("re", "ve", "ll")]
    clitic = apostrophe & (short | ((pairs[0] | pairs[1] | pairs[2]) & _at(ends_word, 3)))
    negation = apostrophe & _at(c.is_any("n"), -1) & _at(c.is_any("t"), 1) & _at(ends_word, 2)
    continues = is_word & ~final_period & ~is_run
    inside_word = apostrophe & _at(continues, -1) & _at(continues, 1)

    between_digits = c.is_any(",:") & _at(c.is_digit, -1) & _at(c.is_digit, 1)
    letter = is_word & ~c.is_any(".-@#*/\\_") & ~c.is_digit
    between_letters = c.is_any("&") & _at(letter, -1) & _at(letter, 1)
    alone = is_break & ~is_run & ~between_digits & ~between_letters
    alone |= final_period | (apostrophe & ~clitic & ~negation & ~inside_word)
    run_edge = (is_run | _at(is_run, -1)) & ~equals_previous
    begins = alone | _at(alone, -1) | run_edge | clitic | _at(negation, 1)
    smiley = _begins_smiley(c)
    joins = _at(smiley, -1) | _at(smiley, -2)
    if "://" in joined or "@" in joined:
        inner = _inside_address(c)
        joins |= inner & _at(inner, -1)
    return _at(c.is_space, -1) | (begins & ~joins)


def _begins_smiley(c: _Characters) -> np.ndarray:
    """Return whether a smiley between blanks begins at each character: eyes, optional nose, mouth."""
    eyes = c.is_any(":;=") & _at(c.is_space, -1)
    mouth = c.is_any("()[]dp/|")
    without_nose = _at(mouth, 1) & _at(c.is_space, 2)
    return eyes & (without_nose | (_at(c.is_any("-"), 1) & _at(mouth, 2) & _at(c.is_space, 3)))


def _inside_address(c: _Characters) -> np.ndarray:
    """Return whether each character is in an address, between its first and last word character."""
    is_word = c.kinds == _WORD
    core = is_word & ~c.is_any(".-*")
    chunk_starts, chunk = np.flatnonzero(c.is_space), np.cumsum(c.is_space) - 1
    seen = np.cumsum(core)
    first = np.minimum.reduceat(seen - core, chunk_starts)[chunk]
    last = np.maximum.reduceat(seen, chunk_starts)[chunk]
    within = (seen > first) & ((seen < last) | core)
    slash = c.is_any("/")
    marks = c.is_any(":") & _at(slash, 1) & _at(slash, 2)
    marks |= c.is_any("@") & _at(is_word, -1) & _at(is_word, 1)
    marks &= within & (seen < last)
    return within & np.logical_or.reduceat(marks, chunk_starts)[chunk]
