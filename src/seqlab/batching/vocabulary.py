"""Entries and their ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PADDING_ID, UNKNOWN_ID = 0, 1
PADDING, UNKNOWN = "<pad>", "<unk>"


class Vocabulary:
    """A list of entries; an entry's id is its place. Ids 0 and 1 are padding and unknown.

    Args:
        entries: the real entries, without the two reserved ones; they get the ids from 2 on.

    Raises:
        ValueError: an entry stands twice.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self.entries: list[str] = [PADDING, UNKNOWN, *entries]
        # A token of the corpus that is spelt like a reserved entry is unknown, never padding.
        self._ids = {entry: i for i, entry in enumerate(self.entries) if i > UNKNOWN_ID}
        if len(self._ids) != len(self.entries) - 2:
            raise ValueError("a vocabulary's entries must differ from each other")

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], *, min_count: int = 1) -> Vocabulary:
        """Entries that occur `min_count` times or more, the most frequent first, ties in code-point order."""
        kept = [entry for entry, count in counts.items() if count >= min_count]
        return cls(sorted(kept, key=lambda entry: (-counts[entry], entry)))

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, entry: str) -> bool:
        return entry in self._ids

    def id(self, entry: str) -> int:
        """The entry's id, or 1 where it is unknown."""
        return self._ids.get(entry, UNKNOWN_ID)

    def ids(self, entries: Sequence[str]) -> list[int]:
        """The ids of `entries`, unknown ones as 1."""
        return [self._ids.get(entry, UNKNOWN_ID) for entry in entries]

    def write(self, path: Path) -> None:
        """Write the entries, reserved ones included, as a JSON list with one entry a line."""
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in self.entries)
        path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Read what `write` wrote.

        Raises:
            ValueError: the reserved entries do not stand first.
        """
        entries = json.loads(path.read_text(encoding="utf-8"))
        if entries[:2] != [PADDING, UNKNOWN]:
            raise ValueError(f"{path}: a vocabulary begins with {PADDING} and {UNKNOWN}")
        return cls(entries[2:])
