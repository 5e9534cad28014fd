"""brat's standoff format: a `.txt` file with a `.ann` file of spans beside it."""

from __future__ import annotations

import re
from pathlib import Path

from seqlab.conversion.records import CharacterSpan, Reading, Records, TextRecord, clean_label
from seqlab.corpus.lines import scan_lines
from seqlab.errors import CorpusError

MAX_TEXT_BYTES = 16 << 20
_SPAN = re.compile(r"(T\S*)\t(\S+) (\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)(?:\t.*)?")


def read_brat(path: Path, reading: Reading) -> Records:
    """Read a `.ann` file, or those of a folder and its folders in the order of their names, with their texts.

    Relations, events, attributes and notes are ignored. Spans of several parts are left out with a warning.

    Yields:
        A record for each text, or an error if its files cannot be read.
    """
    for file in sorted(path.rglob("*.ann")) if path.is_dir() else [path.with_suffix(".ann")]:
        try:
            yield _read_document(file, reading)
        except CorpusError as error:
            yield error


def _read_document(path: Path, reading: Reading) -> TextRecord:
    text = _read_text(path.with_suffix(".txt"))
    spans = []
    for number, line in enumerate(scan_lines(path), start=1):
        if isinstance(line, CorpusError):
            raise line
        if not line.startswith("T"):
            continue
        match = _SPAN.fullmatch(line)
        if match is None:
            raise CorpusError(
                "the annotation cannot be read",
                file=str(path),
                line=number,
                expected="a name, a tab, a label, the start and the end, a tab, and the text",
                received=repr(line[:80]),
            )
        if ";" in match[3]:
            reading.warnings.add(
                CorpusError(
                    "left out: a span of several parts", file=str(path), line=number, received=repr(line[:80])
                )
            )
            continue
        start, end = map(int, match[3].split())
        label = clean_label(match[2], file=str(path), line=number, reading=reading)
        spans.append(CharacterSpan(label, start, end))
    return TextRecord(text, tuple(spans), str(path.with_suffix(".txt")), 0, path.stem)


def _read_text(path: Path) -> str:
    if not path.is_file() or path.is_symlink():
        raise CorpusError(
            "the text of the annotations is missing", file=str(path), expected="a file beside the .ann file"
        )
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise CorpusError(
            "the text is too long",
            file=str(path),
            expected=f"at most {MAX_TEXT_BYTES} bytes",
            received=f"{path.stat().st_size} bytes",
        )
    try:
        return path.read_bytes().decode()  # line ends count as they are
    except UnicodeDecodeError as error:
        raise CorpusError(
            "the text is not UTF-8",
            file=str(path),
            received=f"byte 0x{error.object[error.start]:02X}",
            remedy=f"if the file is in Latin-1, convert it: iconv -f ISO-8859-1 -t UTF-8 {path}",
        ) from error
