"""Windows and batches of tokens with pieces, where each token has its own row of pieces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqlab.batching.buckets import Windows, cut_windows
from seqlab.batching.pieces import PieceGatherer, SpecialPieces, TypePieces


def cut_piece_windows(
    offsets: np.ndarray, counts: np.ndarray, *, max_length: int, overlap: int, max_pieces: int
) -> Windows:
    """Cut sentences into windows of at most `max_length` tokens and `max_pieces` pieces.

    Args:
        offsets: int64 (sentences + 1,), where each sentence starts, and the end.
        counts: int (N,), the pieces of each token, none above `max_pieces`.
        max_length: most tokens in a window.
        overlap: tokens that neighbouring windows share; fewer, if a window has few tokens.
        max_pieces: most pieces in a window, without the special ones.
    """
    before = np.concatenate([[0], np.cumsum(counts)])
    totals = np.diff(before[offsets])
    crowded = {i: counts[offsets[i] : offsets[i + 1]] for i in np.flatnonzero(totals > max_pieces).tolist()}
    return cut_windows(
        offsets, max_length=max_length, overlap=overlap, crowded=crowded, max_pieces=max_pieces
    )


def piece_matrix(pieces: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the pieces of V types as a matrix, int32 (V, N), -1 at padding; N is at least 1."""
    matrix = np.full((len(pieces), max(map(len, pieces), default=1)), -1, np.int32)
    for row, ids in zip(matrix, pieces, strict=True):
        row[: len(ids)] = ids
    return matrix


def gatherer_of_matrix(matrix: np.ndarray, special: SpecialPieces) -> PieceGatherer:
    """Return a gatherer for the rows of a piece matrix, which are its types 1 to V; type 0 is padding."""
    is_piece = matrix >= 0
    offsets = np.concatenate([[0, 0], np.cumsum(is_piece.sum(axis=1))]).astype(np.int64)
    return PieceGatherer(TypePieces(matrix[is_piece], offsets, special))
