"""Spans by character to spans by token."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Literal

from seqlab.conversion.records import CharacterSpan, shorten
from seqlab.corpus.findings import Findings
from seqlab.errors import CorpusError
from seqlab.tags import Span

Misaligned = Literal["expand", "drop"]


def align_spans(
    spans: Iterable[CharacterSpan],
    text: str,
    starts: Sequence[int],
    ends: Sequence[int],
    *,
    misaligned: Misaligned,
    warnings: Findings,
    file: str,
    line: int,
) -> list[Span]:
    """Return the spans by token, sorted, none of which overlap.

    Blanks at the edges of a span do not belong to it. Of overlapping spans, the one with most tokens is kept,
    and the first of equally long ones.

    Args:
        spans: the spans of one text, by offsets in characters.
        text: the text.
        starts: the offset of each token's first character.
        ends: the offset after each token's last character.
        misaligned: what becomes of a span that begins or ends inside a token: `expand` to whole tokens, or
            `drop`.
        warnings: receives what is left out or changed.
        file: the name of the file, for warnings.
        line: the line, for warnings.
    """

    def warn(what: str, received: str) -> None:
        warnings.add(CorpusError(what, file=file, line=line, received=received))

    candidates: list[Span] = []
    for span in dict.fromkeys(spans):
        label, start, end = span
        if not 0 <= start < end <= len(text):
            warn(
                "left out: a span outside its text", f"{label} at {start} to {end} of {len(text)} characters"
            )
            continue
        # The tokens that share a character with the span.
        first, last = bisect_right(ends, start), bisect_left(starts, end)
        if first >= last:
            warn("left out: a span without a token", f"{label}, {shorten(text[start:end])}")
            continue
        outside = text[starts[first] : start] + text[end : ends[last - 1]]
        if outside:
            tokens = shorten(text[starts[first] : ends[last - 1]])
            if misaligned == "drop":
                warn(
                    "left out: a span border inside a token",
                    f"{label}, {shorten(text[start:end])} in {tokens}",
                )
                continue
            warn(
                "a span border inside a token: whole tokens are tagged",
                f"{label}, {shorten(text[start:end])} in {tokens}",
            )
        candidates.append((label, first, last))
    kept: list[Span] = []
    owner: dict[int, Span] = {}
    for candidate in sorted(dict.fromkeys(candidates), key=lambda span: (span[1] - span[2], span[1])):
        label, first, last = candidate
        other = next((owner[token] for token in range(first, last) if token in owner), None)
        if other is None:
            kept.append(candidate)
            owner.update(dict.fromkeys(range(first, last), candidate))
            continue
        words = shorten(text[starts[first] : ends[last - 1]])
        is_nested = other[1] <= first and last <= other[2]
        warn(
            f"left out: a span {'inside' if is_nested else 'that overlaps'} another",
            f"{label}, {words}; kept: {other[0]}, {shorten(text[starts[other[1]] : ends[other[2] - 1]])}",
        )
    return sorted(kept, key=lambda span: span[1])
