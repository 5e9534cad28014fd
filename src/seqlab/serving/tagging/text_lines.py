"""Read lines of text to tag in bounded memory; a line that cannot be tagged does not end the stream."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from seqlab.errors import SeqlabError

LONGEST_LINE = 1_000_000
"""Maximum number of bytes in a line."""

LONGEST_TOKEN = 10_000
"""Maximum number of characters between blanks."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WITHOUT_BLANK = re.compile(rf"\S{{{LONGEST_TOKEN + 1},}}")


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line, or the reason why it cannot be tagged.

    Args:
        number: the 1-based number of the line in its file.
        text: the line without its line end; empty if there is a problem.
        problem: the error in the line.
        file: the file, as the user named it; `-` is standard input.
    """

    number: int
    text: str
    problem: SeqlabError | None = None
    file: str = ""


def read_text_lines(
    file: BinaryIO, *, name: str, first_number: int = 1, shown_name: str | None = None
) -> Iterator[TextLine]:
    """Read lines of UTF-8 from a binary file.

    Args:
        file: the lines.
        name: the name of the file in error messages.
        first_number: the number of the first line, if the file is a part of another one.
        shown_name: the name of the file in results; None for `name`.
    """
    number = first_number - 1
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        problem, text = None, ""
        if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            problem = SeqlabError(
                "the line is too long",
                where=f"{name}:{number}",
                expected=f"at most {LONGEST_LINE:,} bytes, one sentence per line",
                remedy="split the text into sentences, one per line",
            )
        else:
            try:
                text = line.decode("utf-8").rstrip("\r\n")
                problem = find_problem(text, f"{name}:{number}")
            except UnicodeDecodeError as error:
                found = " ".join(f"{byte:02x}" for byte in line[error.start : error.end])
                problem = SeqlabError(
                    "not UTF-8",
                    where=f"{name}:{number}:{error.start + 1}",
                    expected="text in UTF-8",
                    received=f"byte {found} ({error.reason})",
                    remedy="convert it, for example with `iconv -f latin1 -t utf-8`",
                )
        yield TextLine(number, "" if problem else text, problem, name if shown_name is None else shown_name)


def batches(
    lines: Iterable[TextLine], *, size: int, characters: int = LONGEST_LINE
) -> Iterator[list[TextLine]]:
    """Group up to `size` lines; a group is also complete when it has at least `characters` characters."""
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


def find_problem(text: str, where: str) -> SeqlabError | None:
    """Return the error in a text, None if it can be tagged."""
    if control := _CONTROL.search(text):
        return SeqlabError(
            "a control character",
            where=f"{where}:{control.start() + 1}",
            expected="printable text, blanks and tabs",
            received=f"U+{ord(control.group()):04X}",
            remedy="remove it, for example with `tr -d '\\000-\\010\\013-\\037'`",
        )
    if not text.isascii() and (half := _SURROGATE.search(text)):
        return SeqlabError(
            "the text is not Unicode",
            where=f"{where}:{half.start() + 1}",
            received=f"half of a surrogate pair, U+{ord(half.group()):04X}",
        )
    if word := _WITHOUT_BLANK.search(text):
        return SeqlabError(
            "a word is too long",
            where=f"{where}:{word.start() + 1}",
            expected=f"a blank after at most {LONGEST_TOKEN:,} characters",
            received=f"{len(word.group()):,} characters without a blank",
            remedy="separate words by blanks",
        )
    return None
