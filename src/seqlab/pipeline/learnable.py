"""Data from which a tagger cannot learn, or not much: said before the training."""

from __future__ import annotations

import logging

import numpy as np

from seqlab.batching.encoding import EncodedSplit
from seqlab.errors import SeqlabError
from seqlab.params import TaskParams
from seqlab.tags import NUM_RESERVED

logger = logging.getLogger(__name__)


def check_learnable(
    train: EncodedSplit, dev: EncodedSplit, *, task: TaskParams, num_tokens: int, windows: int, steps: int
) -> None:
    """Check that the data has something to learn and to choose the best epoch by.

    A vocabulary without tokens and a corpus that is smaller than a batch are warnings.

    Args:
        train: the training split.
        dev: the split that is scored after each epoch.
        task: the task's section of the parameters.
        num_tokens: entries of the token vocabulary, the two reserved ones included.
        windows: rows of train.
        steps: steps of an epoch.

    Raises:
        SeqlabError: all tokens of train have the same tag, no feature tells tokens apart, or the epoch is
            chosen by the entities in dev and dev has none.
    """
    tags = [train.tags[i] for i in np.unique(train.tag_ids)]
    if len(tags) == 1:
        raise SeqlabError(
            f"all {train.num_tokens} tokens of train have the tag {tags[0]!r}: there is nothing to learn",
            where=f"column {task.column}",
            expected="two or more tags",
            remedy="set the task's column to the one that has the tags, or correct train",
        )
    embedder, training = task.embedder, task.training
    if num_tokens == NUM_RESERVED:
        unknown = f"no token occurs embedder.min_count = {embedder.min_count} times in train: all are unknown"
        if embedder.characters == "none" and not embedder.shape and not embedder.pretrained.source:
            raise SeqlabError(
                unknown, where="embedder", remedy="lower embedder.min_count, or set embedder.characters"
            )
        logger.warning(
            "%s, and only their characters and shapes are learned; lower embedder.min_count", unknown
        )
    if task.tag_scheme and training.monitor == "span_f1":
        found = {dev.tags[i] for i in np.unique(dev.tag_ids)}
        if found == {"O"}:
            raise SeqlabError(
                f"none of dev's {dev.num_sentences} sentences contains an entity, so span_f1 is always 0",
                where="training.monitor",
                expected="entities in dev, by which the best epoch is chosen",
                remedy="move sentences with entities from train to dev, "
                "or set training.monitor to token_accuracy",
            )
    if steps <= 1:
        name = "batch_tokens" if training.batch_tokens else "batch_size"
        logger.warning(
            "train has %d rows, which are a single batch: each epoch is one step; lower training.%s = %d",
            windows,
            name,
            getattr(training, name),
        )
