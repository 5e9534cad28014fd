"""Tagging a stream of lines in order, in bounded memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TextIO

from seqlab.serving.tagging.exported_tagger import ExportedTagger, TaggedText
from seqlab.serving.tagging.tag_formats import TagFormat
from seqlab.serving.tagging.text_lines import TextLine, batches

_LINES_TOGETHER = 512
_BATCH_SIZE = 64
_SHOWN_EVERY_S = 0.5


def tag_stream(
    tagger: ExportedTagger,
    lines: Iterable[TextLine],
    *,
    tag_format: TagFormat,
    out: TextIO,
    tokenized: bool = False,
    interactive: bool = False,
    show_progress: bool = False,
) -> tuple[int, int]:
    """Tag lines and write the results in the same order.

    Args:
        tagger: the exported model.
        lines: the text. Invalid lines are reported on stderr, and the format decides what represents them.
        tag_format: how results are written.
        out: where they are written.
        tokenized: tokens are separated by blanks; do not tokenise.
        interactive: write the result of each line before reading the next one.
        show_progress: show the number of lines and the speed on stderr.

    Returns:
        The number of valid lines with text, and the number of invalid lines.
    """
    progress = _Progress(shown=show_progress)
    num_texts = num_invalid = 0
    out.write(tag_format.head)
    for group in batches(lines, size=1 if interactive else _LINES_TOGETHER):
        tagged = _tag_lines(tagger, group, tokenized=tokenized)
        for line, result in zip(group, tagged, strict=True):
            if line.problem is not None:
                num_invalid += 1
                progress.clear()
                print(f"error: {line.problem}", file=sys.stderr)
                out.write(tag_format.problem(line.number, line.problem))
            else:
                num_texts += bool(line.text.strip())
                out.write(tag_format.line(line.number, result))
        out.flush()
        progress.advance(len(group), sum(len(result.tokens) for result in tagged))
    out.write(tag_format.tail)
    out.flush()
    progress.clear()
    return num_texts, num_invalid


def _tag_lines(tagger: ExportedTagger, lines: list[TextLine], *, tokenized: bool) -> list[TaggedText]:
    """Tag lines in batches of similar length, which need less padding, and restore their order."""
    order = sorted(range(len(lines)), key=lambda i: len(lines[i].text))
    tagged: list[TaggedText] = [TaggedText("", [], None)] * len(lines)
    for first in range(0, len(order), _BATCH_SIZE):
        part = order[first : first + _BATCH_SIZE]
        results = tagger.tag([lines[i].text for i in part], tokenized=tokenized)
        for i, result in zip(part, results, strict=True):
            tagged[i] = result
    return tagged


class _Progress:
    """The number of lines and the speed on stderr."""

    def __init__(self, *, shown: bool) -> None:
        self._shown, self._lines, self._tokens = shown, 0, 0
        self._start = self._last = time.monotonic()

    def advance(self, lines: int, tokens: int) -> None:
        self._lines += lines
        self._tokens += tokens
        now = time.monotonic()
        if self._shown and now - self._last > _SHOWN_EVERY_S:
            self._last = now
            speed = self._tokens / (now - self._start)
            print(f"\r{self._lines:,} lines, {speed:,.0f} tokens/s ", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
