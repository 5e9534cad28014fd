"""Tagged text: what a tagger returns, whatever form of the export it uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


class TaggedToken(NamedTuple):
    """A token, its offsets in the text in characters (end exclusive), its tag, and the tag's probability."""

    text: str
    start: int
    end: int
    tag: str
    probability: float


class TaggedSpan(NamedTuple):
    """An entity: its type and its tokens, from `start` to `end` (exclusive)."""

    entity_type: str
    start: int
    end: int


@dataclass(frozen=True)
class TaggedText:
    """A text with its tokens and spans; `spans` is None if tags do not encode spans."""

    text: str
    tokens: list[TaggedToken]
    spans: list[TaggedSpan] | None


class TextTagger(Protocol):
    """A loaded export; `config` is the content of its `config.json`."""

    config: dict[str, Any]

    def tag(self, texts: Sequence[str], *, tokenized: bool = False) -> list[TaggedText]:
        """Tag raw sentences; if `tokenized`, tokens are separated by blanks alone."""
        ...


def find_offsets(text: str, tokens: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the starts and ends of tokens in the text, whose tokens are separated by blanks."""
    starts: list[int] = []
    ends = [0]
    for token in tokens:
        starts.append(text.index(token, ends[-1]))
        ends.append(starts[-1] + len(token))
    return starts, ends[1:]
