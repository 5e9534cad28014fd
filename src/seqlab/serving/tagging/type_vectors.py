"""The vectors of distinct tokens (types), each computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

MEMORY = 256 << 20
"""Maximum number of bytes of vectors in memory."""

_TOGETHER = 128
"""Types whose vectors are computed together; more do not fit into the CPU's cache and are slower."""


class TypeVectors:
    """A table of the vectors of types, which grows by the types that are asked for.

    When it is full, it starts anew with the known types. Arrays that were returned before stay valid.

    Args:
        known_types: types whose vectors are known.
        known_vectors: float32 (known types, P).
        compute: called with new types; returns their vectors, float32 (N, P).
        memory: maximum number of bytes of the table.
    """

    def __init__(
        self,
        known_types: Sequence[str],
        known_vectors: np.ndarray,
        *,
        compute: Callable[[Sequence[str]], np.ndarray],
        memory: int = MEMORY,
    ) -> None:
        self._known_types, self._known_vectors, self._compute = known_types, known_vectors, compute
        dimension = known_vectors.shape[1]
        self._capacity = max(memory // (4 * dimension), len(known_types) + 1)
        self._restart()

    def _restart(self) -> None:
        self._rows = {token: row for row, token in enumerate(self._known_types, start=1)}
        # The operating system provides memory for the rows that are written.
        self._table = np.empty((self._capacity, self._known_vectors.shape[1]), np.float32)
        self._table[0] = 0
        self._table[1 : len(self._rows) + 1] = self._known_vectors

    def look_up(self, tokens: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return a table, float32 (V, P), with zeros in row 0, and each token's row, int32 (N,)."""
        new = [token for token in dict.fromkeys(tokens) if token not in self._rows]
        if new and len(self._rows) + 1 + len(new) > self._capacity:
            self._restart()
            new = [token for token in dict.fromkeys(tokens) if token not in self._rows]
            if (needed := len(self._rows) + 1 + len(new)) > self._capacity:
                self._capacity = needed
                self._restart()
        new.sort(key=len)  # types of similar length need few columns of characters
        for first in range(0, len(new), _TOGETHER):
            types = new[first : first + _TOGETHER]
            row = len(self._rows) + 1
            self._table[row : row + len(types)] = self._compute(types)
            self._rows.update(zip(types, range(row, row + len(types)), strict=True))
        return self._table, np.fromiter(map(self._rows.__getitem__, tokens), np.int32, len(tokens))
