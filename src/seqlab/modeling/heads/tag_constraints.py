"""Which tags may begin, follow one another and end a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.errors import SeqlabError

FORBIDDEN = -1e9
"""The score of what may not happen: far below every real score, and finite, so that no NaN comes of it."""

RESERVED_TAGS = 2
"""Tag ids 0 (padding) and 1 (unknown) are never predicted."""

BoolRow = Sequence[bool]
BoolMatrix = Sequence[Sequence[bool]]


class TagConstraints:
    """The allowed tag sequences, as plain lists and as scores to add.

    The reserved ids 0 and 1 are forbidden everywhere, whatever the lists say. A decoder that adds these
    scores never emits a forbidden sequence, because one allowed sequence of every length is required here.

    Args:
        num_tags: K, with the two reserved ids counted; at least 3.
        start_allowed: K booleans, whether a sentence may begin with the tag. None allows all.
        end_allowed: K booleans, whether a sentence may end with the tag. None allows all.
        transitions_allowed: K rows of K booleans, `[from][to]`. None allows all.

    Raises:
        SeqlabError: for a wrong size, or when sentences of some length would have no allowed tag sequence.
    """

    def __init__(
        self,
        *,
        num_tags: int,
        start_allowed: BoolRow | None = None,
        end_allowed: BoolRow | None = None,
        transitions_allowed: BoolMatrix | None = None,
    ) -> None:
        if num_tags <= RESERVED_TAGS:
            raise SeqlabError(
                "too few tags",
                where="num_tags",
                expected="at least 3: <pad>, <unk> and one tag",
                received=str(num_tags),
                remedy="give the size of the whole tag vocabulary, reserved entries included",
            )
        self.num_tags = num_tags
        self.is_free = start_allowed is None and end_allowed is None and transitions_allowed is None
        self.start = _allowed_row("start_allowed", start_allowed, num_tags)
        self.end = _allowed_row("end_allowed", end_allowed, num_tags)
        self.transitions = _allowed_matrix(transitions_allowed, num_tags)
        self._require_a_sequence_of_every_length()

    @property
    def can_predict(self) -> list[bool]:
        """K booleans: False for the reserved ids."""
        return [tag >= RESERVED_TAGS for tag in range(self.num_tags)]

    @property
    def start_scores(self) -> list[float]:
        """K scores: 0 where a sentence may begin with the tag, else FORBIDDEN."""
        return _scores(self.start)

    @property
    def end_scores(self) -> list[float]:
        """K scores: 0 where a sentence may end with the tag, else FORBIDDEN."""
        return _scores(self.end)

    @property
    def transition_scores(self) -> list[list[float]]:
        """K rows of K scores, `[from][to]`: 0 where allowed, else FORBIDDEN."""
        return [_scores(row) for row in self.transitions]

    def _require_a_sequence_of_every_length(self) -> None:
        reached = frozenset(tag for tag, allowed in enumerate(self.start) if allowed)
        seen: set[frozenset[int]] = set()
        while reached not in seen:
            seen.add(reached)
            if not any(self.end[tag] for tag in reached):
                raise SeqlabError(
                    f"no tag sequence is allowed for a sentence of {len(seen)} tokens",
                    where="start_allowed, end_allowed, transitions_allowed",
                    expected="at least one allowed tag sequence for every length",
                    remedy="allow a tag, such as O, that may begin, follow itself and end a sentence",
                )
            reached = frozenset(
                to for to in range(self.num_tags) if any(self.transitions[tag][to] for tag in reached)
            )


def _scores(allowed: Sequence[bool]) -> list[float]:
    return [0.0 if is_allowed else FORBIDDEN for is_allowed in allowed]


def _allowed_row(name: str, row: BoolRow | None, num_tags: int) -> list[bool]:
    if row is None:
        row = [True] * num_tags
    if len(row) != num_tags:
        raise SeqlabError(
            "wrong number of tags",
            where=name,
            expected=f"{num_tags} booleans, one per tag",
            received=f"{len(row)}",
        )
    return [bool(allowed) and tag >= RESERVED_TAGS for tag, allowed in enumerate(row)]


def _allowed_matrix(matrix: BoolMatrix | None, num_tags: int) -> list[list[bool]]:
    if matrix is None:
        matrix = [[True] * num_tags] * num_tags
    if len(matrix) != num_tags:
        raise SeqlabError(
            "wrong number of rows",
            where="transitions_allowed",
            expected=f"{num_tags} rows, one per tag that a transition leaves",
            received=f"{len(matrix)}",
        )
    rows = [_allowed_row(f"transitions_allowed[{tag}]", row, num_tags) for tag, row in enumerate(matrix)]
    return [row if tag >= RESERVED_TAGS else [False] * num_tags for tag, row in enumerate(rows)]
