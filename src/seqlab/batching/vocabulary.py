"""Vocabularies: lists of entries whose positions are their ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from seqlab.tags import NUM_RESERVED, PADDING, UNKNOWN, UNKNOWN_ID


class Vocabulary:
    """A list of entries. Ids 0 and 1 are padding and unknown.

    Args:
        entries: the entries without the two reserved ones; their ids start at 2.

    Raises:
        ValueError: an entry occurs twice.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self.entries: list[str] = [PADDING, UNKNOWN, *entries]
        # A token that is spelled like a reserved entry is unknown, never padding.
        self._ids = {entry: i for i, entry in enumerate(self.entries) if i >= NUM_RESERVED}
        if len(self._ids) != len(self.entries) - NUM_RESERVED:
            raise ValueError("the entries of a vocabulary must be distinct")

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], *, min_count: int = 1) -> Vocabulary:
        """Entries with at least `min_count` occurrences, most frequent first, ties in code-point order."""
        kept = [entry for entry, count in counts.items() if count >= min_count]
        return cls(sorted(kept, key=lambda entry: (-counts[entry], entry)))

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, entry: str) -> bool:
        return entry in self._ids

    def id(self, entry: str) -> int:
        """Return the entry's id, 1 if it is unknown."""
        return self._ids.get(entry, UNKNOWN_ID)

    def ids(self, entries: Sequence[str]) -> list[int]:
        """Return the ids of `entries`, 1 for unknown ones."""
        return [self._ids.get(entry, UNKNOWN_ID) for entry in entries]

    def write(self, path: Path) -> None:
        """Write the entries, including the reserved ones, as a JSON list with one entry per line."""
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in self.entries)
        path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Read a file that `write` wrote.

        Raises:
            ValueError: the list does not start with the reserved entries.
        """
        entries = json.loads(path.read_text(encoding="utf-8"))
        if entries[:NUM_RESERVED] != [PADDING, UNKNOWN]:
            raise ValueError(f"{path}: a vocabulary starts with {PADDING} and {UNKNOWN}")
        return cls(entries[NUM_RESERVED:])
