"""tf.data pipelines over encoded splits.

Epochs are planned as a whole, then gathered batch by batch while the previous batches are being used: memory
does not grow with the corpus. Training drops the remainder; evaluation keeps every row and fills a short last
batch with rows of weight 0 that contain one token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf

from seqlab.batching.buckets import Bucket
from seqlab.batching.gathering import BatchGatherer
from seqlab.batching.mention_replacement import ReplacedMentions
from seqlab.batching.planning import FILLING, EpochPlanner, PlannedBatch, plan_evaluation, share_rows

PREFETCHED = 4
"""Batches that wait for the training step."""


def training_dataset(
    gatherer: BatchGatherer,
    planner: EpochPlanner,
    *,
    seed: int,
    epoch: int,
    skipped: int = 0,
    replaced: ReplacedMentions | None = None,
    replicas: int = 1,
    local_replicas: Sequence[int] = (0,),
) -> tf.data.Dataset:
    """Batches `(features, tag_ids, sample_weight)` of one epoch, as in the batch contract.

    If the gatherer has auxiliary columns, `tag_ids` is a pair: the task's tag ids and the columns' ids, int32
    (B, T, columns).

    With several replicas, `features` and `tag_ids` are tuples with one entry for each of `local_replicas`,
    which `share_rows` gives its rows; `sample_weight` belongs to the rows of all replicas, in the order of
    the batch.

    Args:
        gatherer: of the split's rows.
        planner: of the same rows.
        seed: with the epoch, fixes the order.
        epoch: counted from 0.
        skipped: batches at the start of the epoch that are left out.
        replaced: mentions that replace others in this epoch.
        replicas: number of replicas that share each batch, over all machines.
        local_replicas: those of this process, counted from 0.
    """

    def gather(planned: PlannedBatch) -> tuple[Any, ...]:
        return gatherer.gather(planned, replaced=replaced).for_training

    def element(planned: PlannedBatch) -> tuple[Any, ...]:
        if replicas == 1:
            return gather(planned)
        planned = gatherer.sized(planned)
        shares = share_rows(planned, replicas=replicas)
        features, labels, _ = zip(*(gather(shares[replica]) for replica in local_replicas), strict=True)
        row_ids = np.stack([share.row_ids for share in shares], axis=1).ravel()
        return features, labels, gatherer.sample_weight(planned._replace(row_ids=row_ids))

    return _dataset(lambda: islice(planner.batches(seed=seed, epoch=epoch), skipped, None), element)


def evaluation_dataset(
    gatherer: BatchGatherer, lengths: np.ndarray, buckets: Sequence[Bucket]
) -> tf.data.Dataset:
    """Batches `(features, tag_ids, sample_weight, row_ids)` of all rows.

    `row_ids` is int64 (B,), -1 for a row that only fills the batch.

    Args:
        gatherer: of the split's rows.
        lengths: int (rows,), tokens of the rows, or pieces if the split has them.
        buckets: the last one is at least as long as the longest row.
    """

    def element(planned: PlannedBatch) -> tuple[Any, ...]:
        batch = gatherer.gather(planned)
        return batch.features, batch.tag_ids, batch.sample_weight, batch.row_ids

    return _dataset(partial(plan_evaluation, lengths, buckets), element)


def _dataset(
    plan: Callable[[], Iterator[PlannedBatch]], element: Callable[[PlannedBatch], tuple[Any, ...]]
) -> tf.data.Dataset:
    """Serve the elements of the planned batches; all have the structure and ranks of a filling row's."""
    signature = tf.nest.map_structure(
        lambda array: tf.TensorSpec((None,) * array.ndim, array.dtype),
        element(PlannedBatch(3, np.array([FILLING]))),
    )
    elements = tf.data.Dataset.from_generator(lambda: map(element, plan()), output_signature=signature)
    # There is nothing to tune, and at the end of an epoch tf.data waits for its tuning thread, whose sleeps
    # double in length and can last as long as the epoch itself.
    options = tf.data.Options()
    options.autotune.enabled = False
    return elements.prefetch(PREFETCHED).with_options(options)
