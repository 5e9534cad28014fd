"""tf.data pipelines over encoded splits.

Epochs are planned as a whole, then gathered batch by batch while the previous batches are being used: memory
does not grow with the corpus. Training drops the remainder; evaluation keeps every row and fills a short last
batch with rows of weight 0 that contain one token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from seqlab.batching.buckets import Bucket
from seqlab.batching.gathering import BatchGatherer, GatheredBatch
from seqlab.batching.mention_replacement import ReplacedMentions
from seqlab.batching.planning import EpochPlanner, plan_evaluation

PREFETCHED = 4
"""Batches that wait for the training step."""


def training_dataset(
    gatherer: BatchGatherer,
    planner: EpochPlanner,
    *,
    seed: int,
    epoch: int,
    auxiliary: bool = False,
    replaced: ReplacedMentions | None = None,
) -> tf.data.Dataset:
    """Batches `(features, tag_ids, sample_weight)` of one epoch, as in the batch contract.

    Args:
        gatherer: of the split's rows.
        planner: of the same rows.
        seed: with the epoch, fixes the order.
        epoch: counted from 0.
        auxiliary: whether `tag_ids` is a pair: the task's tag ids and the auxiliary columns' ids, int32
            (B, T, columns).
        replaced: mentions that replace others in this epoch.
    """

    def batches() -> Iterator[tuple[Any, ...]]:
        for planned in planner.batches(seed=seed, epoch=epoch):
            batch = gatherer.gather(planned, replaced=replaced)
            labels = (batch.tag_ids, batch.auxiliary_ids) if auxiliary else batch.tag_ids
            yield batch.features, labels, batch.sample_weight

    return _dataset(batches)


def evaluation_dataset(gatherer: BatchGatherer, lengths: Any, buckets: Sequence[Bucket]) -> tf.data.Dataset:
    """Batches `(features, tag_ids, sample_weight, row_ids)` of all rows.

    `row_ids` is int64 (B,), -1 for a row that only fills the batch.

    Args:
        gatherer: of the split's rows.
        lengths: int (rows,), tokens of the rows.
        buckets: the last one is at least as long as the longest row.
    """

    def batches() -> Iterator[tuple[Any, ...]]:
        for planned in plan_evaluation(lengths, buckets):
            batch: GatheredBatch = gatherer.gather(planned)
            yield batch.features, batch.tag_ids, batch.sample_weight, batch.row_ids

    return _dataset(batches)


def _dataset(batches: Callable[[], Iterator[tuple[Any, ...]]]) -> tf.data.Dataset:
    """Serve what `batches()` yields; all its elements have the structure and ranks of the first one."""
    signature = tf.nest.map_structure(
        lambda array: tf.TensorSpec((None,) * array.ndim, array.dtype), next(batches())
    )
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(PREFETCHED)
