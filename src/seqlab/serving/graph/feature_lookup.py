"""Compute the features of tokens in a graph, exactly as `FeatureEncoder` does."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import UNKNOWN_ID, Vocabulary
from seqlab.serving.graph.code_points import normal_forms, shape_classes

Tensor = Any


class GraphFeatures(tf.Module):
    """Map tokens to feature ids. The graph contains the vocabularies and character tables.

    Args:
        encoder: the vocabularies and settings of the tagger.
    """

    def __init__(self, encoder: FeatureEncoder) -> None:
        super().__init__(name="features")
        self.max_token_length = encoder.max_token_length
        self._normal_forms = tf.constant(normal_forms(lowercase=encoder.lowercase))
        self._shape_classes = tf.constant(shape_classes())
        self._token_ids = _lookup_table(encoder.tokens)
        self._shape_ids = _lookup_table(encoder.shapes)
        self._character_ids = _lookup_table(encoder.characters, by_code_point=True)

    def __call__(self, tokens: Tensor) -> dict[str, Tensor]:
        """Return `token_ids` (N,), `char_ids` (N, C) and `shape_ids` (N,), int32, of tokens, string (N,)."""
        code_points = tf.strings.unicode_decode(tokens, "UTF-8")
        normal = tf.strings.unicode_encode(map_code_points(code_points, self._normal_forms), "UTF-8")
        return {
            "token_ids": tf.cast(self._token_ids.lookup(normal), tf.int32),
            "char_ids": self._characters(code_points),
            "shape_ids": tf.cast(self._shape_ids.lookup(self._shapes(code_points)), tf.int32),
        }

    def _characters(self, code_points: tf.RaggedTensor) -> Tensor:
        """Return character ids (N, C); of more than C characters, the first and the last half are used."""
        places, head = self.max_token_length, (self.max_token_length + 1) // 2
        lengths = tf.cast(code_points.row_lengths(), tf.int64)[:, None]
        place = tf.range(places, dtype=tf.int64)[None]
        index = tf.where((lengths > places) & (place >= head), lengths - places + place, place)
        is_real = place < lengths
        index = tf.where(is_real, tf.cast(code_points.row_starts(), tf.int64)[:, None] + index, 0)
        # One more code point, because `tf.gather` needs at least one.
        flat = tf.concat([tf.cast(code_points.values, tf.int64), [0]], axis=0)
        ids = tf.where(is_real, self._character_ids.lookup(tf.gather(flat, index)), 0)
        is_empty = (lengths == 0) & (place == 0)
        return tf.cast(tf.where(is_empty, tf.constant(UNKNOWN_ID, tf.int64), ids), tf.int32)

    def _shapes(self, code_points: tf.RaggedTensor) -> Tensor:
        """Return word shapes (N,): character classes, with runs shortened to two."""
        classes = map_code_points(code_points, self._shape_classes)
        repeated = _equals_previous(classes, 1) & _equals_previous(classes, 2)
        kept = tf.ragged.boolean_mask(classes, classes.with_values(~repeated))
        return tf.strings.unicode_encode(kept, "UTF-8")


def map_code_points(code_points: tf.RaggedTensor, table: Tensor) -> tf.RaggedTensor:
    """Replace code points by their entries in the table; those beyond its end stay as they are."""
    values, size = code_points.values, tf.shape(table)[0]
    return code_points.with_values(
        tf.where(values < size, tf.gather(table, tf.minimum(values, size - 1)), values)
    )


def _equals_previous(classes: tf.RaggedTensor, distance: int) -> Tensor:
    """Return whether each value equals the one `distance` before it in the same row, bool (values,)."""
    values, rows = classes.values, classes.value_rowids()

    def shifted(x: Tensor) -> Tensor:
        return tf.concat([tf.fill([distance], tf.constant(-1, x.dtype)), x], axis=0)[: tf.shape(x)[0]]

    return (values == shifted(values)) & (rows == shifted(rows))


def _lookup_table(vocabulary: Vocabulary, *, by_code_point: bool = False) -> tf.lookup.StaticHashTable:
    entries = vocabulary.entries[UNKNOWN_ID + 1 :]
    # A hash table must not be empty: one more key, which no token has, maps to unknown.
    keys: list[Any] = [*(ord(entry) for entry in entries), -1] if by_code_point else [*entries, ""]
    ids = [*range(UNKNOWN_ID + 1, len(vocabulary)), UNKNOWN_ID]
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant(keys, tf.int64 if by_code_point else tf.string), tf.constant(ids, tf.int64)
    )
    return tf.lookup.StaticHashTable(initializer, default_value=UNKNOWN_ID)
