"""Features of tokens, computed inside a graph just as `FeatureEncoder` computes them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import UNKNOWN_ID, Vocabulary
from seqlab.serving.graph.code_points import normal_forms, shape_classes

Tensor = Any


class GraphFeatures(tf.Module):
    """Surface forms to feature ids; vocabularies and character tables are part of the graph.

    Args:
        encoder: the vocabularies and settings that the tagger was trained with.
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
        """String (N,) to `token_ids` (N,), `char_ids` (N, C) and `shape_ids` (N,), int32."""
        code_points = tf.strings.unicode_decode(tokens, "UTF-8")
        normal = tf.strings.unicode_encode(map_code_points(code_points, self._normal_forms), "UTF-8")
        return {
            "token_ids": tf.cast(self._token_ids.lookup(normal), tf.int32),
            "char_ids": self._characters(code_points),
            "shape_ids": tf.cast(self._shape_ids.lookup(self._shapes(code_points)), tf.int32),
        }

    def _characters(self, code_points: tf.RaggedTensor) -> Tensor:
        """Ids of each token's characters; a longer token keeps its first and its last half."""
        places, head = self.max_token_length, (self.max_token_length + 1) // 2
        lengths = tf.cast(code_points.row_lengths(), tf.int64)[:, None]
        place = tf.range(places, dtype=tf.int64)[None]
        from_end = tf.logical_and(lengths > places, place >= head)
        index = tf.where(from_end, lengths - places + place, place)
        is_real = place < lengths
        flat_index = tf.where(is_real, tf.cast(code_points.row_starts(), tf.int64)[:, None] + index, 0)
        # One more code point, so that there is something to gather when there is no character at all.
        flat = tf.concat([tf.cast(code_points.values, tf.int64), [0]], axis=0)
        ids = tf.where(is_real, self._character_ids.lookup(tf.gather(flat, flat_index)), 0)
        without_characters = tf.logical_and(lengths == 0, place == 0)
        return tf.cast(tf.where(without_characters, tf.constant(UNKNOWN_ID, tf.int64), ids), tf.int32)

    def _shapes(self, code_points: tf.RaggedTensor) -> Tensor:
        """Each token's shape: classes, with runs cut to two."""
        classes = map_code_points(code_points, self._shape_classes)
        same = tf.logical_and(_equals_previous(classes, 1), _equals_previous(classes, 2))
        kept = tf.ragged.boolean_mask(classes, classes.with_values(tf.logical_not(same)))
        return tf.strings.unicode_encode(kept, "UTF-8")


def map_code_points(code_points: tf.RaggedTensor, table: Tensor) -> tf.RaggedTensor:
    """Each code point's entry in the table, or itself where the table ends before it."""
    values, size = code_points.values, tf.shape(table)[0]
    return code_points.with_values(
        tf.where(values < size, tf.gather(table, tf.minimum(values, size - 1)), values)
    )


def _equals_previous(classes: tf.RaggedTensor, distance: int) -> Tensor:
    """Whether each value equals the one `distance` before it in its own row, bool (values,)."""
    values, rows = classes.values, classes.value_rowids()

    def shifted(x: Tensor) -> Tensor:
        return tf.concat([tf.fill([distance], tf.constant(-1, x.dtype)), x], axis=0)[: tf.shape(x)[0]]

    return tf.logical_and(values == shifted(values), rows == shifted(rows))


def _lookup_table(vocabulary: Vocabulary, *, by_code_point: bool = False) -> tf.lookup.StaticHashTable:
    entries = vocabulary.entries[UNKNOWN_ID + 1 :]
    # A table may not be empty: one more key, which no token has, is unknown.
    keys: list[Any] = [*(ord(entry) for entry in entries), -1] if by_code_point else [*entries, ""]
    ids = [*range(UNKNOWN_ID + 1, len(vocabulary)), UNKNOWN_ID]
    initializer = tf.lookup.KeyValueTensorInitializer(
        tf.constant(keys, tf.int64 if by_code_point else tf.string), tf.constant(ids, tf.int64)
    )
    return tf.lookup.StaticHashTable(initializer, default_value=UNKNOWN_ID)
