"""Cut tokens into the pieces of a pretrained encoder in a graph of core TensorFlow operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from seqlab.serving.tagging.word_pieces import WORD_END, character_replacements, longest_piece

Tensor = Any


class GraphWordPieces(tf.Module):
    """Cut tokens into the pieces of a WordPiece vocabulary, by greedy longest match (Wu et al. 2016).

    The graph contains the vocabulary and what replaces each character. Each step of a loop finds the next
    piece of all words that are not yet at their end.

    Args:
        rules: `pieces` of `tagger.json`.
        max_pieces: pieces of a token after which the others are left out.
    """

    def __init__(self, rules: Mapping[str, Any], *, max_pieces: int) -> None:
        super().__init__(name="pieces")
        self._max_pieces = max_pieces
        ids = {piece: i for i, piece in enumerate(rules["vocabulary"])}
        self._ids = _table(list(ids), list(ids.values()), tf.string)
        self._suffix, self._max_bytes = rules["suffix"], rules["max_word_bytes"]
        self._unknown = tf.constant(ids[rules["unknown"]], tf.int32)
        self._sizes = tf.range(longest_piece(rules), 0, -1)
        replacements = [(ord(a), [ord(b) for b in text]) for a, text in character_replacements(rules).items()]
        self._rows = _table([a for a, _ in replacements], list(range(len(replacements))), tf.int64)
        self._replaced_by = tf.constant(np.array([b for _, text in replacements for b in text], np.int32))
        self._replaced_sizes = tf.constant(np.array([len(text) for _, text in replacements], np.int64))

    def __call__(self, tokens: Tensor) -> tf.RaggedTensor:
        """Return the pieces of tokens, string (N,), as int32 (N, pieces), at least one for each token."""
        words = tf.strings.split(self._replace(tokens), WORD_END)
        words = tf.ragged.boolean_mask(words, words.with_values(words.values != ""))
        pieces = self._cut(words.values)
        by_token = tf.reduce_sum(words.with_values(pieces.row_lengths()), axis=1)
        rows = tf.RaggedTensor.from_row_lengths(pieces.values, by_token, validate=False)
        nothing = tf.cast(by_token == 0, tf.int64)
        unknown = tf.RaggedTensor.from_row_lengths(
            tf.fill(tf.reduce_sum(nothing)[None], self._unknown), nothing, validate=False
        )
        return tf.concat([rows[:, : self._max_pieces], unknown], axis=1)

    def _replace(self, tokens: Tensor) -> Tensor:
        """Replace each character of the tokens; `WORD_END` then separates words."""
        code_points = tf.strings.unicode_decode(tokens, "UTF-8")
        values = code_points.values
        row = self._rows.lookup(tf.cast(values, tf.int64))
        # The rows of a table: replacements, and after them each character as it is.
        number = tf.size(self._replaced_sizes, tf.int64)
        every = tf.range(tf.size(values, tf.int64))
        table = tf.RaggedTensor.from_row_lengths(
            tf.concat([self._replaced_by, values], axis=0),
            tf.concat([self._replaced_sizes, tf.ones_like(every)], axis=0),
            validate=False,
        )
        replaced = tf.gather(table, tf.where(row >= 0, row, number + every))
        return tf.strings.unicode_encode(code_points.with_values(replaced).merge_dims(1, 2), "UTF-8")

    def _cut(self, words: Tensor) -> tf.RaggedTensor:
        """Return the pieces of words, string (N,), as int32 (N, pieces)."""
        lengths = tf.strings.length(words, "UTF8_CHAR")
        is_known = tf.strings.length(words) <= self._max_bytes
        found = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[None], infer_shape=False)

        def is_unfinished(step: Tensor, index: Tensor, *_: Any) -> Tensor:
            return tf.size(index) > 0

        def find_next(
            step: Tensor, index: Tensor, start: Tensor, is_known: Tensor, found: tf.TensorArray
        ) -> tuple[Any, ...]:
            shape = tf.stack([tf.size(index), tf.size(self._sizes)])
            parts = tf.strings.substr(
                tf.broadcast_to(tf.gather(words, index)[:, None], shape),
                tf.broadcast_to(start[:, None], shape),
                tf.broadcast_to(self._sizes[None], shape),
                "UTF8_CHAR",
            )
            parts = tf.where(start[:, None] > 0, tf.strings.join([self._suffix, parts]), parts)
            ids = self._ids.lookup(parts)
            longest = tf.argmax(ids >= 0, axis=1)  # the sizes descend
            piece = tf.cast(tf.gather(ids, longest, batch_dims=1), tf.int32)
            places = tf.cast(index, tf.int64)[:, None]
            size = tf.size(words, tf.int64)[None]
            found = found.write(step, tf.scatter_nd(places, piece + 1, size))
            is_known = is_known & (tf.scatter_nd(places, tf.cast(piece < 0, tf.int32), size) == 0)
            start += tf.gather(self._sizes, longest)
            goes_on = (piece >= 0) & (start < tf.gather(lengths, index))
            return step + 1, index[goes_on], start[goes_on], is_known, found

        index = tf.where(is_known)[:, 0]
        start = tf.zeros_like(index, tf.int32)
        _, _, _, is_known, found = tf.while_loop(
            is_unfinished, find_next, (0, index, start, is_known, found), parallel_iterations=1
        )
        no_steps = tf.zeros([1, tf.size(words)], tf.int32)
        ids = (
            tf.transpose(tf.concat([tf.reshape(found.concat(), [-1, tf.size(words)]), no_steps], axis=0)) - 1
        )
        first = tf.range(tf.shape(ids)[1])[None] == 0
        ids = tf.where(is_known[:, None], ids, tf.where(first, self._unknown, -1))
        return tf.ragged.boolean_mask(ids, ids >= 0)


def _table(keys: list[Any], values: list[int], key_type: Any) -> tf.lookup.StaticHashTable:
    """Return a table of int64 values that gives -1 for other keys."""
    other = "\n" if key_type is tf.string else -1  # a table must not be empty
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant([*keys, other], key_type), tf.constant([*values, -1], tf.int64)
    )
    return tf.lookup.StaticHashTable(initializer, default_value=-1)
