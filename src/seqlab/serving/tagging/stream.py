"""Tagging a stream of lines in order, in bounded memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TextIO

from seqlab.serving.tagging.tag_formats import TagFormat
from seqlab.serving.tagging.tagged_text import TextTagger
from seqlab.serving.tagging.text_lines import TextLine, batches

LINES_TOGETHER = 2048
"""Lines in a window, whose sentences are sorted by length to make batches."""

_SHOWN_EVERY_S = 0.5


def tag_stream(
    tagger: TextTagger,
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
        show_progress: show the numbers of lines and tokens and the speed on stderr, at the end too.

    Returns:
        The number of valid lines with text, and the number of invalid lines.
    """
    progress = Progress(shown=show_progress)
    num_texts = num_invalid = 0
    out.write(tag_format.head)
    for group in batches(lines, size=1 if interactive else LINES_TOGETHER):
        tagged = tagger.tag([line.text for line in group], tokenized=tokenized)
        for line, result in zip(group, tagged, strict=True):
            if line.problem is not None:
                num_invalid += 1
                progress.clear()
                print(f"error: {line.problem}", file=sys.stderr)
                out.write(tag_format.problem(line))
            else:
                num_texts += bool(line.text.strip())
                out.write(tag_format.line(line, result))
        out.flush()
        progress.advance(len(group), sum(len(result.tokens) for result in tagged))
    out.write(tag_format.tail)
    out.flush()
    progress.finish()
    return num_texts, num_invalid


class Progress:
    """The numbers of lines and tokens and the speed on stderr."""

    def __init__(self, *, shown: bool) -> None:
        self._shown, self._lines, self._tokens = shown, 0, 0
        self._start = self._last = time.monotonic()

    def advance(self, lines: int, tokens: int) -> None:
        """Add lines and tokens, and show the totals from time to time."""
        self._lines += lines
        self._tokens += tokens
        now = time.monotonic()
        if self._shown and now - self._last > _SHOWN_EVERY_S:
            self._last = now
            print(f"\r{self._state()} ", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Replace the progress by the totals."""
        self.clear()
        if self._shown:
            print(self._state(), file=sys.stderr)

    def _state(self) -> str:
        speed = self._tokens / max(time.monotonic() - self._start, 1e-9)
        return f"{self._lines:,} lines, {self._tokens:,} tokens, {speed:,.0f} tokens/s"

    def clear(self) -> None:
        """Remove the progress from the terminal, so that a message can be printed."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
