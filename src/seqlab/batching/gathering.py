"""Planned batches to arrays, gathered with NumPy from the memory-mapped split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqlab.batching.auxiliary import AuxiliaryColumn
from seqlab.batching.buckets import Windows
from seqlab.batching.encoding import EncodedSplit
from seqlab.batching.mention_replacement import ReplacedMentions
from seqlab.batching.pieces import PieceGatherer
from seqlab.batching.planning import FILLING, PlannedBatch
from seqlab.tags import UNKNOWN_ID

_TYPES_ROUNDED_TO = 64
_LONG_TYPES_ROUNDED_TO = 16
_LENGTH_ROUNDED_TO = 4
_SHORT_TYPE = 8
"""Most types have at most this number of characters; longer ones are kept apart, to save padding."""


class GatheredBatch(NamedTuple):
    """A batch of B rows, padded to T tokens.

    Args:
        features: as in the batch contract; see `BatchGatherer`.
        tag_ids: int32 (B, T), 0 at padding.
        auxiliary_ids: int32 (B, T, columns), 0 at padding.
        sample_weight: float32 (B, T), 1 for a real token and 0 for padding.
        row_ids: int64 (B,), -1 for a row that only fills the batch.
    """

    features: dict[str, np.ndarray]
    tag_ids: np.ndarray
    auxiliary_ids: np.ndarray
    sample_weight: np.ndarray
    row_ids: np.ndarray

    @property
    def for_training(self) -> tuple[dict[str, np.ndarray], Any, np.ndarray]:
        """Features, labels and sample weights.

        The labels are the tag ids; if there are auxiliary columns, the pair of `tag_ids` and `auxiliary_ids`.
        """
        has_columns = self.auxiliary_ids.shape[-1] > 0
        labels = (self.tag_ids, self.auxiliary_ids) if has_columns else self.tag_ids
        return self.features, labels, self.sample_weight


class BatchGatherer:
    """Gather the rows of planned batches.

    Args:
        split: the encoded sentences.
        windows: the rows.
        auxiliary: the split's auxiliary columns.
        distinct_types: whether the batch contains the characters of each type once: `char_ids`, int32 (U, 8),
            has the types of at most 8 characters, and `long_char_ids`, int32 (L, C), the others; `char_rows`,
            int32 (B, T), has the row of each token in both, one after the other; row 0 is padding. Characters
            are then encoded once per type. U, L and C are rounded up, so that there are few shapes. Otherwise
            `char_ids` is int32 (B, T, C), and every shape is static.

    If the split has pieces, the length of a planned batch is in pieces; see `PieceGatherer.gather` for the
    features. A row that would have too many pieces with other mentions keeps its own.
    """

    def __init__(
        self,
        split: EncodedSplit,
        windows: Windows,
        *,
        auxiliary: Sequence[AuxiliaryColumn] = (),
        distinct_types: bool = True,
    ) -> None:
        self._split, self._windows, self._distinct_types = split, windows, distinct_types
        self._auxiliary = [column.tag_ids for column in auxiliary]
        # The last type is the token of filling rows: one unknown token, so that no row is all padding.
        self._filling_type = len(split.features["token_ids"])
        self._features = {
            name: np.concatenate([table, np.zeros_like(table[:1])]) for name, table in split.features.items()
        }
        for table in self._features.values():
            table.reshape(len(table), -1)[-1, 0] = UNKNOWN_ID
        self._type_lengths = np.count_nonzero(self._features["char_ids"], axis=1)
        self._pieces = PieceGatherer(split.pieces) if split.pieces else None

    def sized(self, batch: PlannedBatch) -> PlannedBatch:
        """Return a batch with its length in tokens, if it is in pieces.

        All parts into which the batch is then divided have the same shapes.
        """
        if not self._pieces or batch.pieces:
            return batch
        row_ids = batch.row_ids[batch.row_ids != FILLING]
        longest = int(self._windows.length[row_ids].max(initial=1))
        length = longest + -longest % _LENGTH_ROUNDED_TO if self._distinct_types else batch.length - 2
        return PlannedBatch(length, batch.row_ids, batch.length)

    def gather(self, batch: PlannedBatch, *, replaced: ReplacedMentions | None = None) -> GatheredBatch:
        """Return a batch; `replaced` brings other mentions into its rows."""
        batch = self.sized(batch)
        is_row = batch.row_ids != FILLING
        starts = np.where(is_row, self._windows.start[batch.row_ids], 0)
        lengths = np.where(is_row, self._windows.length[batch.row_ids], 0)
        place = np.arange(batch.length)
        is_real = place < lengths[:, None]
        positions = np.where(is_real, starts[:, None] + place, 0)
        tag_ids = self._split.tag_ids[positions]
        tag_ids = np.where(tag_ids < self._split.num_tags, tag_ids, UNKNOWN_ID)
        if replaced:
            others = replaced.positions(positions, starts, lengths)
            if self._pieces:
                others = np.where(self._fit(self._pieces, others, is_real)[:, None], others, positions)
            positions = others
        types = np.where(is_real, self._split.type_ids[positions], 0)
        types[~is_row, 0] = self._filling_type
        columns = [np.where(is_real, column[positions], 0) for column in self._auxiliary]
        return GatheredBatch(
            features=self._features_of(types) | self._piece_features(types, batch),
            tag_ids=np.where(is_real, tag_ids, 0).astype(np.int32),
            auxiliary_ids=np.stack(columns, axis=-1) if columns else np.zeros((*types.shape, 0), np.int32),
            sample_weight=is_real.astype(np.float32),
            row_ids=batch.row_ids,
        )

    def sample_weight(self, batch: PlannedBatch) -> np.ndarray:
        """Return the sample weights of a batch alone, float32 (B, T)."""
        batch = self.sized(batch)
        lengths = np.where(batch.row_ids != FILLING, self._windows.length[batch.row_ids], 0)
        return (np.arange(batch.length) < lengths[:, None]).astype(np.float32)

    def _fit(self, pieces: PieceGatherer, positions: np.ndarray, is_real: np.ndarray) -> np.ndarray:
        """Return whether each row has few enough pieces, bool (B,)."""
        counts = np.where(is_real, pieces.counts[self._split.type_ids[positions]], 0)
        return counts.sum(axis=1) <= pieces.special.max_pieces

    def _piece_features(self, types: np.ndarray, batch: PlannedBatch) -> dict[str, np.ndarray]:
        if not self._pieces:
            return {}
        return self._pieces.gather(types, length=0 if self._distinct_types else batch.pieces)

    def _features_of(self, types: np.ndarray) -> dict[str, np.ndarray]:
        features = {name: self._features[name][types] for name in ("token_ids", "shape_ids")}
        if not self._distinct_types:
            return {**features, "char_ids": self._features["char_ids"][types]}
        distinct, rows = np.unique(np.append(types, 0), return_inverse=True)
        is_long = self._type_lengths[distinct] > _SHORT_TYPE
        short = _rounded_up(distinct[~is_long], _TYPES_ROUNDED_TO)
        long = _rounded_up(distinct[is_long], _LONG_TYPES_ROUNDED_TO)
        row_of = np.where(is_long, len(short) + np.cumsum(is_long), np.cumsum(~is_long)) - 1
        longest = int(self._type_lengths[long].max(initial=1))
        return {
            **features,
            "char_ids": self._features["char_ids"][short, :_SHORT_TYPE],
            "long_char_ids": self._features["char_ids"][long, : longest + -longest % _LENGTH_ROUNDED_TO],
            "char_rows": row_of[rows[:-1]].reshape(types.shape).astype(np.int32),
        }


def _rounded_up(types: np.ndarray, multiple: int) -> np.ndarray:
    """Append type 0 to one or more types, or to none, until their number is a positive multiple."""
    return np.pad(types, (0, -len(types) % multiple if len(types) else multiple))
