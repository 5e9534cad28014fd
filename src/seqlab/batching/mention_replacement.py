"""Mentions of entities trade places, so that a tagger reads contexts and does not learn lists of names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seqlab.batching.auxiliary import AuxiliaryColumn
from seqlab.batching.encoding import EncodedSplit
from seqlab.tags import tags_to_spans


class MentionReplacer:
    """Puts other mentions of the same type and length in the place of some.

    The mention replacement of Dai and Adel (2020, arXiv 2010.11683), within lengths: "in Paris" may be read
    as "in Brussels", and so on in every epoch anew. A mention that comes in brings its tokens and their
    auxiliary tags. The task's own tags stay as they are, since equal type and length spell them alike, and so
    does the length of every row.

    Args:
        split: train.
        auxiliary: its further columns.
        tag_scheme: in which its tags spell spans.
        share: probability, 0 to 1, that a mention is replaced in an epoch. What comes in is drawn from all
            mentions of its type and length, itself among them, each as often as it stands in train.
        seed: with the epoch, fixes what is drawn.
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
        """For each token of the split, the position whose token is read there, int64 (tokens,)."""
        rng = np.random.default_rng([self.seed, epoch, 1])
        positions = np.arange(self.split.num_tokens)
        for length, starts in self._mentions:
            replaced = starts[rng.random(len(starts)) < self.share]
            chosen = rng.choice(starts, len(replaced))
            for i in range(length):
                positions[replaced + i] = chosen + i
        return positions

    def swapped(self, epoch: int) -> tuple[EncodedSplit, list[AuxiliaryColumn]]:
        """The split and its further columns as epoch `epoch` (from 0) reads them."""
        sources = self.sources(epoch)
        return (
            replace(self.split, type_ids=self.split.type_ids[sources]),
            [replace(column, tag_ids=column.tag_ids[sources]) for column in self.auxiliary],
        )
