"""CSV with one token per row: the columns of a sentence's id, a token and its tags."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from seqlab.conversion.records import Reading, Records, TokenRecord, clean_label, column_name
from seqlab.corpus.lines import scan_lines
from seqlab.errors import CorpusError

_SENTENCE_NAMES = ("sentence_id", "sentence #", "sentence", "sent_id", "sentence_number", "id")
_TOKEN_NAMES = ("token", "word", "tokens", "words", "form", "text")
_DELIMITERS = ",;\t|"


def read_csv(path: Path, reading: Reading) -> Records:
    """Read CSV with a header, such as `sentence_id,token,tag`, separated by commas, semicolons, tabs or bars.

    A new id starts a sentence; an empty one continues it. Without a column of ids, empty rows separate
    sentences. All other columns that have a name are tags.

    Raises:
        CorpusError: the header or a row cannot be read; sentences cannot be told from what follows it.
    """
    file = str(path)
    lines = _lines(path)
    header = next(lines, "")
    delimiter = max(_DELIMITERS, key=header.count)
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    sentence = next((names.index(name) for name in _SENTENCE_NAMES if name in names), None)
    token = next((names.index(name) for name in _TOKEN_NAMES if name in names), None)
    columns = {
        index: column_name(name, reading.column) or name.replace(" ", "_")
        for index, name in enumerate(names)
        if index not in (sentence, token) and name and not name.startswith("unnamed") and name != "index"
    }
    if token is None or not columns or len(set(columns.values())) < len(columns):
        raise CorpusError(
            "the header cannot be read",
            file=file,
            line=1,
            expected="sentence_id,token,tag, or other columns of tags with different names",
            received=repr(header[:200]),
            remedy="name the columns in the first row",
        )
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter)
    tokens: list[str] = []
    tags: dict[str, list[str]] = {name: [] for name in columns.values()}
    current, first = "", 0

    def finished() -> Iterator[TokenRecord]:
        if tokens:
            yield TokenRecord(
                tuple(tokens), {name: tuple(values) for name, values in tags.items()}, file, first, current
            )
        tokens.clear()
        for values in tags.values():
            values.clear()

    try:
        for row in reader:
            number = reader.line_num + 1
            if not any(field.strip() for field in row):
                yield from finished()
                continue
            if len(row) != len(names) or any("\n" in field for field in row):
                raise CorpusError(
                    "the row cannot be read",
                    file=file,
                    line=number,
                    expected=f"{len(names)} fields in one line",
                    received=f"{len(row)} fields: {','.join(row)[:80]!r}",
                    remedy="write a quotation mark that is a token as four quotation marks",
                )
            name = row[sentence].strip() if sentence is not None else ""
            if name and name != current:
                yield from finished()
                current = name
            if not tokens:
                first = number
            tokens.append(row[token])
            for index, column in columns.items():
                tags[column].append(clean_label(row[index], file=file, line=number, reading=reading))
    except csv.Error as error:
        raise CorpusError(
            "the row cannot be read", file=file, line=reader.line_num + 1, received=str(error)
        ) from error
    yield from finished()


def _lines(path: Path) -> Iterator[str]:
    for line in scan_lines(path):
        if isinstance(line, CorpusError):
            raise line
        yield line
