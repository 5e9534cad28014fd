"""Read spans from tags in a graph, as the conlleval script does, and write tags from spans."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqlab.tags import split_tag

Tensor = Any


class SpanReader(tf.Module):
    """Map tag ids to spans, like `seqlab.tags.tags_to_spans` with `lenient=True`.

    Args:
        tags: the entries of the tag vocabulary.
    """

    def __init__(self, tags: list[str]) -> None:
        super().__init__(name="spans")
        read = [split_tag(tag) for tag in tags]
        types = sorted({entity_type for _, entity_type in read})
        self._is_inside = tf.constant([prefix != "O" for prefix, _ in read])
        self._continues = tf.constant([prefix in "IE" for prefix, _ in read])
        self._may_be_continued = tf.constant([prefix in "BI" for prefix, _ in read])
        self._type_ids = tf.constant([types.index(entity_type) for _, entity_type in read], tf.int32)
        self._types = tf.constant(types)
        self._names = tf.constant(
            [[f"{begin}-{kind}" if prefix != "O" else "O" for begin in "BI"] for prefix, kind in read]
        )

    def __call__(self, tag_ids: Tensor, row_lengths: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Read the spans of tag ids, int32 (N,), in sentences of `row_lengths`, int64 (B,).

        Returns:
            The tags of these spans in IOB2, string (N,), whatever scheme the tag ids have; and
            `span_types`, string (B, S), "" at padding; `span_starts` and `span_ends`, int32 (B, S), end
            exclusive, -1 at padding. S is the largest number of spans in a sentence.
        """
        num_rows = tf.size(row_lengths, tf.int64)
        rows = tf.repeat(tf.range(num_rows), row_lengths)
        places = tf.range(tf.size(rows, tf.int64)) - tf.gather(tf.cumsum(row_lengths, exclusive=True), rows)
        types, is_inside = tf.gather(self._type_ids, tag_ids), tf.gather(self._is_inside, tag_ids)

        def previous(x: Tensor, first: Any) -> Tensor:
            return tf.concat([tf.constant([first], x.dtype), x], axis=0)[: tf.shape(x)[0]]

        continues = (
            tf.gather(self._continues, tag_ids)
            & previous(tf.gather(self._may_be_continued, tag_ids), False)
            & (types == previous(types, -1))
            & (rows == previous(rows, -1))
        )
        is_start = is_inside & ~continues
        is_end = is_inside & ~tf.pad(continues, [[0, 1]])[1:]
        span_rows = tf.boolean_mask(rows, is_start)

        def dense(values: Tensor, padding: Any) -> Tensor:
            return tf.RaggedTensor.from_value_rowids(values, span_rows, num_rows).to_tensor(padding)

        iob2 = tf.gather(tf.gather(self._names, tag_ids), tf.cast(continues, tf.int32), batch_dims=1)
        return iob2, {
            "span_types": dense(tf.gather(self._types, tf.boolean_mask(types, is_start)), ""),
            "span_starts": dense(tf.cast(tf.boolean_mask(places, is_start), tf.int32), -1),
            "span_ends": dense(tf.cast(tf.boolean_mask(places, is_end) + 1, tf.int32), -1),
        }
