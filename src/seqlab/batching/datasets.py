"""tf.data pipelines over encoded splits.

Training shuffles the rows by (seed, epoch) and drops the remainder of each bucket. Evaluation keeps the order
and every row: it fills a short last batch with rows of weight 0 that contain one token.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from seqlab.batching.auxiliary import AuxiliaryColumn
from seqlab.batching.buckets import Bucket, Windows
from seqlab.batching.encoding import EncodedSplit
from seqlab.tags import UNKNOWN_ID


def row_order(num_rows: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return the order of the rows in an epoch: int64 (rows,), a pure function of (seed, epoch)."""
    return np.random.default_rng([seed, epoch]).permutation(num_rows)


def training_dataset(
    split: EncodedSplit,
    windows: Windows,
    buckets: list[Bucket],
    *,
    seed: int,
    epoch: int,
    auxiliary: Sequence[AuxiliaryColumn] = (),
) -> tf.data.Dataset:
    """Batches `(features, tag_ids, sample_weight)` of one epoch, as in the batch contract.

    Every batch has one of `len(buckets)` static shapes; rows that do not fill a batch are dropped. With
    auxiliary columns, `tag_ids` is a pair: the task's tag ids and the columns' ids, int32 (B, T, columns),
    0 at padding.
    """
    order = row_order(len(windows), seed=seed, epoch=epoch)
    batches = _batches(split, windows, buckets, order, drop_remainder=True, auxiliary=auxiliary)

    def split_labels(features: tf.Tensor, labels: tf.Tensor, weight: tf.Tensor, row_ids: tf.Tensor) -> tuple:
        tag_ids = labels[..., 0]
        return features, (tag_ids, labels[..., 1:]) if auxiliary else tag_ids, weight

    return batches.map(split_labels).prefetch(2)


def evaluation_dataset(split: EncodedSplit, windows: Windows, buckets: list[Bucket]) -> tf.data.Dataset:
    """Batches `(features, tag_ids, sample_weight, row_ids)` of all rows, in order.

    `row_ids` is int64 (B,), -1 for a row that only fills the batch.

    Raises:
        tf.errors.InvalidArgumentError: during iteration, if a row is longer than the last bucket.
    """
    batches = _batches(split, windows, buckets, np.arange(len(windows)), drop_remainder=False)
    return batches.map(
        lambda features, labels, weight, row_ids: (features, labels[..., 0], weight, row_ids)
    ).prefetch(2)


def _batches(
    split: EncodedSplit,
    windows: Windows,
    buckets: list[Bucket],
    order: np.ndarray,
    *,
    drop_remainder: bool,
    auxiliary: Sequence[AuxiliaryColumn] = (),
) -> tf.data.Dataset:
    """Batches `(features, labels, sample_weight, row_ids)`, with labels int32 (B, T, 1 + columns)."""
    known_tags = np.where(split.tag_ids < split.num_tags, split.tag_ids, UNKNOWN_ID)
    type_ids = tf.constant(split.type_ids)
    label_ids = tf.constant(np.stack([known_tags, *(column.tag_ids for column in auxiliary)], axis=-1))
    starts, lengths = tf.constant(windows.start), tf.constant(windows.length)
    tables = {name: tf.constant(values) for name, values in split.features.items()}
    sizes = tf.constant([bucket.batch_size for bucket in buckets], tf.int64)
    boundaries = tf.constant([bucket.length for bucket in buckets], tf.int64)

    def row(row_id: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        start, stop = starts[row_id], starts[row_id] + lengths[row_id]
        return type_ids[start:stop], label_ids[start:stop], row_id

    def fill(types: tf.Tensor, labels: tf.Tensor, row_ids: tf.Tensor) -> tuple[tf.Tensor, ...]:
        length = tf.shape(types, tf.int64)[1]
        size = sizes[tf.searchsorted(boundaries, length[None])[0]]
        missing = [[0, size - tf.shape(types, tf.int64)[0]], [0, 0]]
        filled = tf.pad(row_ids[:, None], missing, constant_values=-1)[:, 0]
        return tf.pad(types, missing), tf.pad(labels, [*missing, [0, 0]]), filled

    def batch(types: tf.Tensor, labels: tf.Tensor, row_ids: tf.Tensor) -> tuple:
        features = {name: tf.gather(table, types) for name, table in tables.items()}
        # A row that only fills the batch contains one unknown token, so that no row is all padding.
        filling = tf.cast(row_ids < 0, tf.int32)[:, None] * tf.one_hot(0, tf.shape(types)[1], dtype=tf.int32)
        features["token_ids"] += filling * UNKNOWN_ID
        features["shape_ids"] += filling * UNKNOWN_ID
        first = tf.one_hot(0, tf.shape(features["char_ids"])[2], dtype=tf.int32)
        features["char_ids"] += filling[:, :, None] * first * UNKNOWN_ID
        return features, labels, tf.cast(types > 0, tf.float32), row_ids

    rows = tf.data.Dataset.from_tensor_slices(order.astype(np.int64)).map(
        row, num_parallel_calls=2, deterministic=True
    )
    batches = rows.bucket_by_sequence_length(
        lambda types, labels, row_id: tf.shape(types)[0],
        bucket_boundaries=[bucket.length + 1 for bucket in buckets],
        bucket_batch_sizes=[*(bucket.batch_size for bucket in buckets), 1],
        pad_to_bucket_boundary=True,
        drop_remainder=drop_remainder,
    )
    if not drop_remainder:
        batches = batches.map(fill)
    return batches.map(batch, num_parallel_calls=2, deterministic=True)
