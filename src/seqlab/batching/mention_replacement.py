"""Mention replacement: entity mentions change places, so that a tagger learns contexts instead of names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seqlab.batching.auxiliary import AuxiliaryColumn
from seqlab.batching.encoding import EncodedSplit
from seqlab.tags import tags_to_spans


class MentionReplacer:
    """Replace some mentions by others of the same type and length, differently in every epoch.

    This is the mention replacement of Dai and Adel (2020, arXiv 2010.11683), restricted to equal lengths: "in
    Paris" may be read as "in Brussels". The new mention brings its tokens and their auxiliary tags. The
    task's own tags and the lengths of the rows do not change, because mentions of equal type and length have
    the same tags.

    Args:
        split: train.
        auxiliary: its auxiliary columns.
        tag_scheme: the scheme of its tags.
        share: probability, 0 to 1, that a mention is replaced in an epoch. The new mention is drawn from all
            mentions of its type and length in train, in proportion to their frequency; it may be the same.
        seed: fixes, together with the epoch, what is drawn.
    """

    def __init__(
        self,
        split: EncodedSplit,
        auxiliary: Sequence[AuxiliaryColumn],
        *,
        tag_scheme: str,
        share: float,
        seed: int,
    ) -> None:
        self.split, self.auxiliary, self.share, self.seed = split, list(auxiliary), share, seed
        starts: dict[tuple[str, int], list[int]] = defaultdict(list)
        for offset, (_, tags) in zip(split.offsets, split.sentences(), strict=False):
            for entity_type, start, stop in tags_to_spans(tags, scheme=tag_scheme):
                starts[entity_type, stop - start].append(int(offset) + start)
        self._mentions = [
            (length, np.asarray(at)) for (_, length), at in sorted(starts.items()) if len(at) > 1
        ]

    def sources(self, epoch: int) -> np.ndarray:
        """For each token of the split, the position whose token replaces it: int64 (tokens,)."""
        rng = np.random.default_rng([self.seed, epoch, 1])
        positions = np.arange(self.split.num_tokens)
        for length, starts in self._mentions:
            replaced = starts[rng.random(len(starts)) < self.share]
            chosen = rng.choice(starts, len(replaced))
            for i in range(length):
                positions[replaced + i] = chosen + i
        return positions

    def replaced(self, epoch: int) -> tuple[EncodedSplit, list[AuxiliaryColumn]]:
        """The split and its auxiliary columns as they are read in epoch `epoch`, counted from 0."""
        sources = self.sources(epoch)
        return (
            replace(self.split, type_ids=self.split.type_ids[sources]),
            [replace(column, tag_ids=column.tag_ids[sources]) for column in self.auxiliary],
        )
