"""What a check finds in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from seqlab.errors import CorpusError

MAX_PER_KIND = 10
"""Errors or warnings of each kind that are listed for each file."""

_MIN_LISTED = 20  # from which `diagnosis` sees what the lines of a file have in common


class Findings:
    """The errors or warnings of one file.

    Args:
        max_per_kind: how many of each kind to list, at least 20; findings with equal `what` are of one kind.

    Attributes:
        listed: the first findings of each kind.
        counts: the number of findings of each kind.
    """

    def __init__(self, max_per_kind: int = MAX_PER_KIND) -> None:
        self.max_per_kind = max(max_per_kind, _MIN_LISTED)
        self.listed: list[CorpusError] = []
        self.counts: Counter[str] = Counter()

    def add(self, *findings: CorpusError) -> None:
        """Count the findings, and list them up to the maximum of their kind."""
        for finding in findings:
            self.counts[finding.what] += 1
            if self.counts[finding.what] <= self.max_per_kind:
                self.listed.append(finding)

    def replace(self, kinds: Iterable[str], finding: CorpusError) -> None:
        """Put one finding in the place of all findings of some kinds."""
        removed = set(kinds)
        for kind in removed:
            del self.counts[kind]
        self.listed = [finding, *(other for other in self.listed if other.what not in removed)]
        self.counts = Counter({finding.what: 1}) + self.counts


@dataclass(slots=True)
class CheckedFile:
    """What a check found in one file.

    Args:
        file: its name.
        errors: what a corpus must not contain.
        warnings: what is allowed but suspicious.
        schemes: the scheme in which each span column was read.
        lines: the line of each sentence with at least one valid row.
        lengths: the number of tokens in each of these sentences.
        first_lines: the line of the first occurrence of each distinct sentence, by the hash of its tokens.
        repeated: the lines of sentences that occur earlier in the file.
        tags: the number of occurrences of each tag, by column.
        tag_lines: the line of the first occurrence of each tag, by column.
        spans: the number of spans of each entity type, by span column.
        with_spans: the number of sentences that contain a tag other than `O`, by span column.
        failed: the number of those sentences that are invalid in the scheme, by span column.
        fitting: of the failed sentences, how many are valid in each other scheme, by span column.
    """

    file: str
    errors: Findings = field(default_factory=Findings)
    warnings: Findings = field(default_factory=Findings)
    schemes: dict[str, str] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    first_lines: dict[int, int] = field(default_factory=dict)
    repeated: list[int] = field(default_factory=list)
    tags: dict[str, Counter[str]] = field(default_factory=dict)
    tag_lines: dict[str, dict[str, int]] = field(default_factory=dict)
    spans: dict[str, Counter[str]] = field(default_factory=dict)
    with_spans: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    fitting: dict[str, Counter[str]] = field(default_factory=dict)


def count_of(number: int, noun: str) -> str:
    """Return a number with a noun in singular or plural."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: str) -> str:
    """Return a text with escapes for the characters that a terminal would obey or cannot show."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
