"""Spans out of tags, inside a graph, read as conlleval reads them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

Tensor = Any

_PREFIXES = {"L": "E", "U": "S"}


class GraphSpans(NamedTuple):
    """The spans of a batch, right-padded, S being the largest number in a sentence.

    Args:
        types: string (B, S), "" at padding.
        starts: int32 (B, S), the first token; -1 at padding.
        ends: int32 (B, S), the token after the last; -1 at padding.
    """

    types: Tensor
    starts: Tensor
    ends: Tensor


class SpanReader(tf.Module):
    """Tag ids to spans, the lenient reading of `seqlab.tags.tags_to_spans`.

    Args:
        tags: the tag vocabulary's entries.
    """

    def __init__(self, tags: list[str]) -> None:
        super().__init__(name="spans")
        read = [_read_tag(tag) for tag in tags]
        types = sorted({entity_type for _, entity_type in read})
        self._is_inside = tf.constant([prefix != "O" for prefix, _ in read])
        self._may_go_on = tf.constant([prefix in "IE" for prefix, _ in read])
        self._may_be_continued = tf.constant([prefix in "BI" for prefix, _ in read])
        self._type_ids = tf.constant(
            np.array([types.index(entity_type) for _, entity_type in read], np.int32)
        )
        self._types = tf.constant(types)

    def __call__(self, tag_ids: Tensor, row_lengths: Tensor) -> GraphSpans:
        """Tag ids, int32 (N,), of sentences of `row_lengths`, int64 (B,), to spans."""
        rows = tf.repeat(tf.range(tf.size(row_lengths, tf.int64)), row_lengths)
        places = tf.range(tf.size(rows, tf.int64)) - tf.gather(tf.cumsum(row_lengths, exclusive=True), rows)
        types, is_inside = tf.gather(self._type_ids, tag_ids), tf.gather(self._is_inside, tag_ids)

        def before(x: Tensor, nothing: Any) -> Tensor:
            return tf.concat([tf.constant([nothing], x.dtype), x], axis=0)[: tf.shape(x)[0]]

        goes_on = (
            tf.gather(self._may_go_on, tag_ids)
            & before(tf.gather(self._may_be_continued, tag_ids), False)
            & (types == before(types, -1))
            & (rows == before(rows, -1))
        )
        is_start = is_inside & ~goes_on
        first = tf.boolean_mask(places, is_start)
        span_of_token = tf.boolean_mask(tf.cumsum(tf.cast(is_start, tf.int64)) - 1, is_inside)
        lengths = tf.math.bincount(tf.cast(span_of_token, tf.int32), minlength=tf.size(first), dtype=tf.int64)
        span_rows = tf.boolean_mask(rows, is_start)
        counts = tf.math.bincount(
            tf.cast(span_rows, tf.int32), minlength=tf.size(row_lengths), dtype=tf.int64
        )

        def dense(values: Tensor, padding: Any) -> Tensor:
            return tf.RaggedTensor.from_row_lengths(values, counts, validate=False).to_tensor(padding)

        return GraphSpans(
            types=dense(tf.gather(self._types, tf.boolean_mask(types, is_start)), ""),
            starts=dense(tf.cast(first, tf.int32), -1),
            ends=dense(tf.cast(first + lengths, tf.int32), -1),
        )


def _read_tag(tag: str) -> tuple[str, str]:
    prefix, _, entity_type = tag.partition("-")
    prefix = _PREFIXES.get(prefix, prefix)
    if prefix in ("B", "I", "E", "S"):
        return prefix, entity_type
    return ("I", entity_type) if entity_type and prefix != "O" else ("O", "")
