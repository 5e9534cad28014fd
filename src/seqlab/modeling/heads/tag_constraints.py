"""Constraints on tag sequences: which tags may start, follow one another and end a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqlab.errors import SeqlabError
from seqlab.modeling.masks.masked_ops import MASKED_SCORE
from seqlab.tags import NUM_RESERVED

BoolRow = Sequence[bool]
BoolMatrix = Sequence[Sequence[bool]]


class TagConstraints:
    """The allowed tag sequences, as booleans and as scores to add.

    The attributes `can_predict`, `start`, `end`, bool (K,), and `transitions`, bool (K, K), `[from][to]`, are
    False for the reserved ids. `start_scores`, `end_scores` and `transition_scores` are float32 with 0 for
    True and `MASKED_SCORE` for False. A decoder that adds them never returns a forbidden sequence, because
    the constraints must allow at least one sequence of every length.

    Args:
        num_tags: K, including the two reserved ids; at least 3.
        start_allowed: K booleans, whether a sentence may start with the tag. None allows all.
        end_allowed: K booleans, whether a sentence may end with the tag. None allows all.
        transitions_allowed: K rows of K booleans, `[from][to]`. None allows all.

    Raises:
        SeqlabError: for a wrong shape, too few tags, or if sentences of some length have no allowed sequence.
    """

    def __init__(
        self,
        *,
        num_tags: int,
        start_allowed: BoolRow | None = None,
        end_allowed: BoolRow | None = None,
        transitions_allowed: BoolMatrix | None = None,
    ) -> None:
        if num_tags <= NUM_RESERVED:
            raise SeqlabError(
                "too few tags: the vocabulary contains only the reserved entries",
                where="num_tags",
                expected="at least 3: <pad>, <unk> and one tag",
                received=str(num_tags),
                remedy="leave out a column without repeated tags, such as an id column; num_tags is the size "
                "of the whole tag vocabulary, including the reserved entries",
            )
        self.is_free = start_allowed is None and end_allowed is None and transitions_allowed is None
        self.can_predict = np.arange(num_tags) >= NUM_RESERVED
        self.start = _allowed("start_allowed", start_allowed, (num_tags,)) & self.can_predict
        self.end = _allowed("end_allowed", end_allowed, (num_tags,)) & self.can_predict
        transitions = _allowed("transitions_allowed", transitions_allowed, (num_tags, num_tags))
        self.transitions = transitions & self.can_predict & self.can_predict[:, None]
        self._require_a_sequence_of_every_length()
        self.start_scores, self.end_scores, self.transition_scores = (
            np.where(allowed, 0.0, MASKED_SCORE).astype(np.float32)
            for allowed in (self.start, self.end, self.transitions)
        )

    def _require_a_sequence_of_every_length(self) -> None:
        reached, seen = self.start, set[bytes]()
        while reached.tobytes() not in seen:
            seen.add(reached.tobytes())
            if not np.any(reached & self.end):
                raise SeqlabError(
                    f"no tag sequence is allowed for a sentence of length {len(seen)}",
                    where="start_allowed, end_allowed, transitions_allowed",
                    expected="at least one allowed tag sequence for every length",
                    remedy="allow a tag, such as O, that may start, follow itself and end a sentence",
                )
            reached = np.any(self.transitions[reached], axis=0)


def _allowed(name: str, values: BoolRow | BoolMatrix | None, shape: tuple[int, ...]) -> np.ndarray:
    if values is None:
        return np.ones(shape, bool)
    allowed = np.asarray(values, object)  # rows of different lengths give shape (K,)
    if allowed.shape != shape:
        raise SeqlabError(
            "the constraints do not fit the number of tags",
            where=name,
            expected=f"booleans of shape {shape}",
            received=f"shape {allowed.shape}",
        )
    return allowed.astype(bool)
