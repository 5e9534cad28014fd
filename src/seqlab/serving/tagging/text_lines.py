"""Lines of text to tag, read in bounded memory; one that cannot be tagged does not end the stream."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from seqlab.errors import SeqlabError

LONGEST_LINE = 1_000_000
"""Bytes in a line."""

LONGEST_TOKEN = 10_000
"""Characters without a blank."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]")
_WITHOUT_BLANK = re.compile(rf"\S{{{LONGEST_TOKEN + 1},}}")


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line, or why it cannot be tagged.

    Args:
        number: the 1-based line in its file.
        text: the line without its end; empty where there is a problem.
        problem: what is wrong with it.
    """

    number: int
    text: str
    problem: SeqlabError | None = None


def read_text_lines(file: BinaryIO, *, name: str) -> Iterator[TextLine]:
    """Read lines of UTF-8.

    Args:
        file: opened for bytes.
        name: the file as the user knows it.
    """
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            problem = SeqlabError(
                "the line is too long",
                where=f"{name}:{number}",
                expected=f"at most {LONGEST_LINE:,} bytes, one sentence a line",
                received="more",
                remedy="break the text into sentences, one a line",
            )
            yield TextLine(number, "", problem)
            continue
        yield _checked(line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line, number, name)


def batches(
    lines: Iterable[TextLine], *, size: int, characters: int = LONGEST_LINE
) -> Iterator[list[TextLine]]:
    """Group lines by up to `size`, and so that a group has at most about `characters` of them."""
    batch: list[TextLine] = []
    total = 0
    for line in lines:
        batch.append(line)
        total += len(line.text)
        if len(batch) == size or total >= characters:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _checked(line: bytes, number: int, name: str) -> TextLine:
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        found = " ".join(f"{byte:02x}" for byte in line[error.start : error.end])
        problem = SeqlabError(
            "not UTF-8",
            where=f"{name}:{number}:{error.start + 1}",
            expected="text in UTF-8",
            received=f"byte {found} ({error.reason})",
            remedy="convert it, for instance with `iconv -f latin1 -t utf-8`",
        )
        return TextLine(number, "", problem)
    if control := _CONTROL.search(text):
        problem = SeqlabError(
            "a control character",
            where=f"{name}:{number}:{control.start() + 1}",
            expected="printable text, blanks and tabs",
            received=f"U+{ord(control.group()):04X}",
            remedy="take it out, for instance with `tr -d '\\000-\\010\\013-\\037'`",
        )
        return TextLine(number, "", problem)
    if word := _WITHOUT_BLANK.search(text):
        problem = SeqlabError(
            "a word is too long to be one",
            where=f"{name}:{number}:{word.start() + 1}",
            expected=f"a blank at least every {LONGEST_TOKEN:,} characters",
            received=f"{len(word.group()):,} characters without one",
            remedy="tag text whose words are separated by blanks",
        )
        return TextLine(number, "", problem)
    return TextLine(number, text)
