"""Pieces: the units of a pretrained encoder's vocabulary into which its tokenizer cuts each token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

_ROWS_AT_ONCE = 1 << 16
_ROUNDED_TO = 8


@dataclass(frozen=True)
class SpecialPieces:
    """The ids around and instead of the pieces of tokens.

    Args:
        start: id before the first piece of a row.
        end: id after the last piece of a row.
        unknown: id of a token for which the tokenizer has no piece.
        max_pieces: most pieces of a row's tokens, without `start` and `end`.
    """

    start: int
    end: int
    unknown: int
    max_pieces: int

    def of_token(self, ids: Sequence[int]) -> list[int]:
        """Return the pieces that a token keeps of those that the tokenizer gives it: at least one."""
        return list(ids[: self.max_pieces]) or [self.unknown]

    def write(self, path: Path) -> None:
        """Write the ids as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> SpecialPieces | None:
        """Read a file that `write` wrote; None if there is none."""
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


@dataclass(frozen=True)
class TypePieces:
    """The pieces of V types; row 0 is padding, without pieces.

    Args:
        ids: int32 (pieces,), those of all types in order.
        offsets: int64 (V + 1,), where each type's pieces start, and the end.
        special: the special ids.
    """

    ids: np.ndarray
    offsets: np.ndarray
    special: SpecialPieces

    @property
    def counts(self) -> np.ndarray:
        """Pieces of each type, int32 (V,)."""
        return np.diff(self.offsets).astype(np.int32)

    def write(self, directory: Path) -> None:
        """Write the pieces into a split's folder."""
        self.special.write(directory / "pieces.json")
        np.save(directory / "piece_ids.npy", self.ids)
        np.save(directory / "piece_offsets.npy", self.offsets)

    @classmethod
    def read(cls, directory: Path) -> TypePieces | None:
        """Map the pieces of a split into memory; None if it has none."""
        special = SpecialPieces.read(directory / "pieces.json")
        if special is None:
            return None
        ids, offsets = (
            np.load(directory / f"piece_{name}.npy", mmap_mode="r") for name in ("ids", "offsets")
        )
        return cls(ids, offsets, special)


def encode_pieces(
    types: Iterable[str],
    *,
    tokenize: Callable[[Sequence[str]], Sequence[Sequence[int]]],
    special: SpecialPieces,
) -> tuple[TypePieces, list[str]]:
    """Cut types into pieces. Each gets at least one piece, and at most `special.max_pieces`.

    Args:
        types: surface forms.
        tokenize: maps forms to piece ids without special ones.
        special: the special ids.

    Returns:
        The pieces, and the forms that have more than `special.max_pieces`, whose later pieces are left out.
    """
    forms = list(types)
    found = tokenize(forms) if forms else []
    cut = [form for form, ids in zip(forms, found, strict=True) if len(ids) > special.max_pieces]
    pieces = [special.of_token(ids) for ids in found]
    offsets = np.cumsum([0, 0, *map(len, pieces)], dtype=np.int64)
    return TypePieces(np.array([i for ids in pieces for i in ids], np.int32), offsets, special), cut


def count_pieces(
    type_ids: np.ndarray, starts: np.ndarray, stops: np.ndarray, pieces: TypePieces
) -> np.ndarray:
    """Return the pieces between tokens, int64 (N,), with bounded memory beside the result.

    Args:
        type_ids: int32 (tokens,), of the split.
        starts, stops: int64 (N,), first token and end (exclusive) of each stretch, both ascending.
        pieces: of the split's types.
    """
    counts, totals = pieces.counts, []
    for first in range(0, len(starts), _ROWS_AT_ONCE):
        begin, end = (x[first : first + _ROWS_AT_ONCE] for x in (starts, stops))
        before = np.concatenate([[0], np.cumsum(counts[type_ids[begin[0] : end[-1]]])])
        totals.append(before[end - begin[0]] - before[begin - begin[0]])
    return np.concatenate(totals) if totals else np.zeros(0, np.int64)


class PieceGatherer:
    """The piece features of a batch.

    Args:
        pieces: of V types.
    """

    def __init__(self, pieces: TypePieces) -> None:
        self.special = pieces.special
        # The last type is the token of filling rows: one unknown piece.
        self._ids = np.append(pieces.ids, np.int32(pieces.special.unknown))
        self._starts = pieces.offsets
        self.counts = np.append(pieces.counts, np.int32(1))

    def gather(self, types: np.ndarray, *, length: int = 0) -> dict[str, np.ndarray]:
        """Return the features of B rows with T tokens, int32.

        `piece_ids` (B, P) contains `start`, the pieces of the row's tokens, `end`, and padding, 0.
        `piece_starts` (B, T) are the places of the tokens' first pieces in it, and `piece_counts` (B, T) the
        numbers of their pieces, both 0 at padding. P is rounded up, so that there are few shapes.

        Args:
            types: int (B, T), 0 at padding, V for the token of filling rows.
            length: least P.
        """
        counts = self.counts[types]
        totals = counts.sum(axis=1)
        starts = np.where(counts > 0, 1 + np.cumsum(counts, axis=1) - counts, 0)
        needed = int(totals.max()) + 2
        width = max(length, needed + -needed % _ROUNDED_TO)
        place = np.arange(width)
        ids = np.where(place == 0, self.special.start, 0) + np.zeros((len(types), 1), np.int32)
        ids[np.arange(len(types)), totals + 1] = self.special.end
        inside = (place > 0) & (place <= totals[:, None])
        ids[inside] = self._ids[ranges(self._starts[types.ravel()], counts.ravel())]
        return {
            "piece_ids": ids.astype(np.int32),
            "piece_starts": starts.astype(np.int32),
            "piece_counts": counts.astype(np.int32),
        }


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Concatenate `arange(start, start + count)` for each pair."""
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - before, counts)
