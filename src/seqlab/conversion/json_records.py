"""Records of JSON files: JSON Lines, or one array, read record by record."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from seqlab.conversion.records import Reading, Records, parse_record
from seqlab.corpus.lines import READ_ERRORS, read_chunks, scan_lines, unreadable
from seqlab.errors import CorpusError

MAX_RECORD_BYTES = 16 << 20


def read_json(path: Path, reading: Reading) -> Records:
    """Read the records of a JSON file, plain, `.gz` or `.zst`. Memory holds one record, of at most 16 MiB.

    Yields:
        The records, and an error for each one that cannot be read.

    Raises:
        CorpusError: the file cannot be read to its end.
    """
    values = _scan_array(path) if _starts_with_array(path) else _scan_json_lines(path)
    for line, value in values:
        if isinstance(value, CorpusError):
            yield value
            continue
        try:
            record = parse_record(value, file=str(path), line=line, reading=reading)
        except CorpusError as error:
            yield error
        else:
            if record is not None:
                yield record


def _starts_with_array(path: Path) -> bool:
    """Return whether the file is one array; a JSON Lines file may contain arrays, one per line."""
    with suppress(*READ_ERRORS):  # the reader reports them
        for chunk in read_chunks(path):
            first = chunk.removeprefix(codecs.BOM_UTF8).lstrip()
            if first:
                line, _, more = first.partition(b"\n")
                is_line = line.rstrip().endswith(b"]") and more.lstrip().startswith(b"[")
                return first.startswith(b"[") and not is_line
    return False


def _scan_json_lines(path: Path) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(scan_lines(path, max_line_bytes=MAX_RECORD_BYTES), start=1):
        if isinstance(line, CorpusError):
            yield number, line
        elif line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, _not_json(path, number, error, "one JSON object per line, or one array")


def _scan_array(path: Path) -> Iterator[tuple[int, object]]:
    """Yield the values of the array that the file contains, each with the line in which it begins."""
    decode = json.JSONDecoder().raw_decode
    buffer, place, line = "", 0, 1
    chunks = _read_text(path)

    def more() -> bool:
        """Append as much text as the buffer holds, so that long values are not scanned for each chunk."""
        nonlocal buffer, place
        rest = buffer[place:]
        parts, size = [rest], 0
        for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= len(rest):
                break
        if size:
            buffer, place = "".join(parts), 0
        return size > 0

    def skip(characters: str) -> str:
        """Skip characters; return the next one, or an empty text at the end."""
        nonlocal place, line
        while True:
            while place < len(buffer) and buffer[place] in characters:
                line += buffer[place] == "\n"
                place += 1
            if place < len(buffer):
                return buffer[place]
            if not more():
                return ""

    skip("\ufeff \t\r\n")
    place += 1
    while (first := skip(" \t\r\n,")) != "]":
        if not first:
            raise _not_json(path, line, EOFError("the array does not end"), "one JSON array")
        while True:
            try:
                value, end = decode(buffer, place)
            except (ValueError, RecursionError) as error:
                too_long = len(buffer) - place > MAX_RECORD_BYTES
                if too_long or isinstance(error, RecursionError) or not more():
                    raise _not_json(
                        path, line, error, "one JSON array of records of at most 16 MiB"
                    ) from error
                continue
            if end < len(buffer) or not more():
                break
        yield line, value
        line += buffer.count("\n", place, end)
        place = end


def _read_text(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in read_chunks(path):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise CorpusError(
            "the text is not UTF-8",
            file=str(path),
            received=f"byte 0x{error.object[error.start]:02X}",
            remedy=f"if the file is in UTF-16: iconv -f UTF-16 -t UTF-8 {path}",
        ) from error
    except READ_ERRORS as error:
        raise unreadable(error, str(path)) from error


def _not_json(path: Path, line: int, error: Exception, expected: str) -> CorpusError:
    received = "values nested too deeply" if isinstance(error, RecursionError) else str(error)
    return CorpusError("this is not JSON", file=str(path), line=line, expected=expected, received=received)
