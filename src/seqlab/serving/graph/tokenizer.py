"""A tokeniser in the graph: raw text to tokens and their offsets.

The rules are those in the docstring of `text.tokenizer_rules`.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqlab.text.token_boundaries import SPACE, find_boundaries
from seqlab.text.tokenizer_rules import ABBREVIATIONS, BEFORE_NUMBERS, category_ranges, token_kinds

Tensor = Any

_ALWAYS, _BEFORE_NUMBER = 1, 2


def _category(name: str) -> str:
    """Return the characters of a Unicode category for a class of RE2's.

    `\\p{L}` would follow the Unicode version of TensorFlow instead of that of the other tables.
    """
    return "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in category_ranges(name))


class _Characters:
    """`token_boundaries.Characters` in a graph."""

    may_contain_addresses = True

    def __init__(self, code_points: Tensor, kinds: Tensor) -> None:
        self.code_points, self.kinds = code_points, kinds
        upper = (code_points >= ord("A")) & (code_points <= ord("Z"))
        self._lower = tf.where(upper, code_points + 32, code_points)
        self.is_space = kinds == SPACE
        self.is_digit = (code_points >= ord("0")) & (code_points <= ord("9"))
        self._chunk = tf.cumsum(tf.cast(self.is_space, tf.int32))

    def is_any(self, characters: str) -> Tensor:
        found = [self._lower == ord(character) for character in characters]
        return tf.reduce_any(tf.stack(found), axis=0)

    def at(self, values: Tensor, distance: int) -> Tensor:
        return _at(values, distance)

    def to_int(self, flags: Tensor) -> Tensor:
        return tf.cast(flags, tf.int32)

    def cumsum(self, values: Tensor) -> Tensor:
        return tf.cumsum(values)

    def chunk_min(self, values: Tensor) -> Tensor:
        return tf.gather(tf.math.segment_min(values, self._chunk), self._chunk)

    def chunk_max(self, values: Tensor) -> Tensor:
        return tf.gather(tf.math.segment_max(values, self._chunk), self._chunk)


def _at(flags: Tensor, distance: int) -> Tensor:
    """Return `flags` shifted by `distance`: entry i is `flags[i + distance]`, False (0) beyond the edges."""
    size = tf.shape(flags)[0]
    if distance > 0:
        return tf.pad(flags, [[0, distance]])[distance:]
    return tf.pad(flags, [[-distance, 0]])[:size]


class GraphTokenizer(tf.Module):
    """Tokenise texts by the rules of `text.tokenizer_rules`."""

    def __init__(self) -> None:
        super().__init__(name="tokenizer")
        self._kinds = tf.constant(token_kinds())
        kinds = dict.fromkeys(ABBREVIATIONS, _ALWAYS) | dict.fromkeys(BEFORE_NUMBERS, _BEFORE_NUMBER)
        self._abbreviations = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(list(kinds), list(kinds.values()), value_dtype=tf.int64),
            default_value=0,
        )
        letters, numbers = _category("L"), _category("N")
        self._inner_periods = rf"([{letters}]\.)+[{letters}]"
        self._one_capital = f"[{_category('Lu')}]"
        self._word_start = rf"[{letters}{numbers}][\s\S]*"
        self._number_start = rf"[{_category('Nd')}][\s\S]*"

    def __call__(self, texts: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Tokenise texts, string (B,), encoded in UTF-8.

        Returns:
            The tokens of all texts, string (N,), the number of tokens in each text, int64 (B,), and the
            offsets of each token, int32 (N,): `token_starts` and `token_ends` in characters (code points),
            end exclusive, and `token_byte_starts` and `token_byte_ends` in bytes.
        """
        decoded, byte_offsets = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
        counts = decoded.row_lengths()
        blank = tf.fill([tf.size(counts), 1], ord(" "))
        code_points = tf.concat([tf.concat([blank, decoded], axis=1).values, [ord(" ")]], axis=0)
        kinds = tf.gather(self._kinds, tf.minimum(code_points, tf.size(self._kinds) - 1))
        characters = _Characters(code_points, kinds)
        is_space, boundaries = characters.is_space, find_boundaries(characters)
        begins = tf.where(~is_space & boundaries)[:, 0]
        next_begins = tf.where(~is_space & _at(is_space | boundaries, 1))[:, 0] + 1
        text_starts = tf.cumsum(counts + 1, exclusive=True)
        row = tf.searchsorted(text_starts, begins, side="right", out_type=tf.int64) - 1
        byte_starts, byte_ends = _byte_offsets(texts, byte_offsets)

        def tokens_of(begin: Tensor, end: Tensor, row: Tensor) -> tuple[Tensor, ...]:
            # Up to its first character, text r is preceded by r + 1 blanks.
            first, last = begin - row - 1, end - row - 2
            start_bytes, end_bytes = tf.gather(byte_starts, first), tf.gather(byte_ends, last)
            surface = tf.strings.substr(tf.gather(texts, row), start_bytes, end_bytes - start_bytes)
            return surface, start_bytes, end_bytes

        joined = self._periods_to_join(tokens_of(begins, next_begins, row)[0], begins, next_begins, row)
        ends = tf.where(_at(joined, 1), next_begins + 1, next_begins)
        begins, ends, row = (tf.boolean_mask(x, ~joined) for x in (begins, ends, row))
        surface, start_bytes, end_bytes = tokens_of(begins, ends, row)
        text_start = tf.gather(text_starts, row) + 1
        row_lengths = tf.math.bincount(tf.cast(row, tf.int32), minlength=tf.size(counts), dtype=tf.int64)
        return (
            surface,
            row_lengths,
            {
                "token_starts": tf.cast(begins - text_start, tf.int32),
                "token_ends": tf.cast(ends - text_start, tf.int32),
                "token_byte_starts": start_bytes,
                "token_byte_ends": end_bytes,
            },
        )

    def _periods_to_join(self, tokens: Tensor, begins: Tensor, ends: Tensor, row: Tensor) -> Tensor:
        """Return whether each token is the period of the abbreviation directly before it, bool (N,)."""
        adjacent = _at(ends, -1) == begins
        kinds = self._abbreviations.lookup(tf.strings.lower(tokens))
        known = (kinds == _ALWAYS) | tf.strings.regex_full_match(tokens, self._inner_periods)
        initial = tf.strings.regex_full_match(tokens, self._one_capital)
        same_text = row == _at(row, -1)
        word_follows = _at(tf.strings.regex_full_match(tokens, self._word_start) & same_text, 1)
        number_follows = _at(tf.strings.regex_full_match(tokens, self._number_start) & same_text, 1)
        joins = _at(known, -1) | (_at(initial, -1) & word_follows)
        joins |= _at(kinds == _BEFORE_NUMBER, -1) & number_follows
        return adjacent & (tokens == ".") & joins


def _byte_offsets(texts: Tensor, offsets: tf.RaggedTensor) -> tuple[Tensor, Tensor]:
    """Return the first byte of each character and the byte after its last, int32 (characters,)."""
    starts, rows = tf.cast(offsets.values, tf.int32), offsets.value_rowids()
    is_last = tf.concat([rows[1:] != rows[:-1], tf.fill([tf.minimum(tf.size(rows), 1)], True)], axis=0)
    return starts, tf.where(is_last, tf.gather(tf.strings.length(texts), rows), _at(starts, 1))
