"""The files of a folder: their formats, their blocks of rows, and joining the tagged blocks."""

from __future__ import annotations

import gzip
import io
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import zstandard

from seqlab.errors import SeqlabError
from seqlab.serving.tagging.tag_formats import TagFormat
from seqlab.serving.tagging.text_lines import LONGEST_LINE

BLOCK_ROWS = 10_000
"""Rows in a block: lines of text, JSON objects, or rows of Parquet."""

BLOCK_BYTES = 4_000_000
"""A block of lines is complete when it has so many bytes, even if it has fewer rows."""

LONGEST_RECORD = 16_000_000
"""Maximum number of bytes in a line of JSON Lines, whose text has at most `LONGEST_LINE` characters."""

KINDS = {".txt": "text", ".jsonl": "json", ".parquet": "parquet"}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class InputFile:
    """A file to tag.

    Args:
        path: where it is.
        name: its path relative to the input folder, with slashes.
        kind: `text`, `json` or `parquet`.
        compression: `gzip`, `zstd` or none.
    """

    path: Path
    name: str
    kind: str
    compression: str

    @property
    def longest_line(self) -> int:
        """The maximum number of bytes in a line."""
        return LONGEST_RECORD if self.kind == "json" else LONGEST_LINE


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a file.

    Args:
        file: the file.
        number: the 0-based number of the block in its file.
        first_row: the 1-based number of its first row in the file.
        data: the lines as they are in the file, decompressed, or an Arrow stream of Parquet rows.
    """

    file: InputFile
    number: int
    first_row: int
    data: bytes


def find_input_files(folder: Path) -> list[InputFile]:
    """Return the files below a folder in the order of their names, without hidden ones.

    Raises:
        SeqlabError: a file has another format, or there is no file.
    """
    files = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            files.append(_input_file(path, relative.as_posix()))
    if not files:
        raise SeqlabError("there is no file to tag", where=str(folder), expected=_EXPECTED)
    return files


_EXPECTED = "files named .txt, .jsonl, either with .gz or .zst, or .parquet"


def _input_file(path: Path, name: str) -> InputFile:
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    compression = COMPRESSIONS.get(suffixes[-1], "") if suffixes else ""
    suffix = "".join((suffixes[:-1] if compression else suffixes)[-1:])
    kind = KINDS.get(suffix, "text" if compression else "")
    if not kind or (compression and kind == "parquet"):
        raise SeqlabError(
            "the format of the file is unknown",
            where=str(path),
            expected=_EXPECTED,
            received=suffix + suffixes[-1] if compression else suffix or "no suffix",
            remedy="rename, convert or remove the file; files whose names begin with a dot are ignored",
        )
    return InputFile(path, name, kind, compression)


def cut_blocks(file: InputFile, *, rows: int = BLOCK_ROWS) -> Iterator[Block]:
    """Read a file in blocks, which depend on its content alone.

    Raises:
        SeqlabError: the file is damaged.
    """
    with damage_reported(file):
        if file.kind == "parquet":
            yield from _cut_parquet(file, rows=rows)
            return
        number, first_row = 0, 1
        with open_lines(file) as lines:
            while group := _read_lines(lines, rows=rows, longest=file.longest_line):
                yield Block(file, number, first_row, b"".join(group))
                number, first_row = number + 1, first_row + len(group)


def check_columns(file: InputFile, *, field: str) -> None:
    """Check that a Parquet file has a column `text` of strings and none with the name of the result.

    Raises:
        SeqlabError: it has not, or it is no Parquet file.
    """
    import pyarrow.types

    with damage_reported(file):
        schema = _parquet_schema(file)
    is_text = "text" in schema.names and any(
        test(schema.field("text").type)
        for test in (pyarrow.types.is_string, pyarrow.types.is_large_string, pyarrow.types.is_string_view)
    )
    if not is_text or field in schema.names:
        raise SeqlabError(
            f"there is already a column `{field}`" if is_text else "there is no column `text` of strings",
            where=str(file.path),
            expected=f"a column `text` of strings, and no column `{field}`, which is added",
            received=", ".join(f"{column.name}: {column.type}" for column in schema)[:300],
            remedy="rename the column",
        )


def compress(data: bytes, compression: str) -> bytes:
    """Compress data to one member (gzip) or frame (zstd); these may follow each other in a file."""
    if compression == "gzip":
        return gzip.compress(data, 6, mtime=0)
    return zstandard.compress(data) if compression else data


def join_parts(file: InputFile, parts: Iterable[BinaryIO], target: Path, *, tag_format: TagFormat) -> None:
    """Write tagged blocks one after another to a file in the format of the input."""
    if file.kind == "parquet":
        _join_parquet(file, parts, target)
        return
    head, tail = (
        compress(text.encode(), file.compression) if file.kind == "text" and text else b""
        for text in (tag_format.head, tag_format.tail)
    )
    with target.open("wb") as out:
        out.write(head)
        for part in parts:
            shutil.copyfileobj(part, out, 1 << 20)
        out.write(tail)
        if not out.tell():
            out.write(compress(b"", file.compression))


def result_type(*, has_spans: bool) -> Any:
    """Return the Arrow type of the column of results: `as_dict` without the text, or an error."""
    import pyarrow as pa

    numbers = [("start", pa.int64()), ("end", pa.int64())]
    token = [("text", pa.string()), *numbers, ("tag", pa.string()), ("probability", pa.float64())]
    span = [("type", pa.string()), ("text", pa.string()), *numbers]
    span += [("start_token", pa.int64()), ("end_token", pa.int64())]
    fields = {"tokens": pa.list_(pa.struct(token)), "spans": pa.list_(pa.struct(span)), "error": pa.string()}
    return pa.struct({name: kind for name, kind in fields.items() if has_spans or name != "spans"})


def with_results(data: bytes, results: Sequence[Mapping[str, Any]], *, field: str, has_spans: bool) -> bytes:
    """Add a column of results to an Arrow stream of rows."""
    import pyarrow as pa

    table = pa.ipc.open_stream(data).read_all()
    column = pa.array(results, result_type(has_spans=has_spans))
    return _to_stream(table.append_column(field, column))


def read_texts(data: bytes) -> list[str | None]:
    """Return the column `text` of an Arrow stream of rows."""
    import pyarrow as pa

    return cast("list[str | None]", pa.ipc.open_stream(data).read_all()["text"].to_pylist())


@contextmanager
def open_lines(file: InputFile) -> Iterator[BinaryIO]:
    """Open a file of lines, decompressed."""
    with file.path.open("rb") as raw:
        if file.compression == "gzip":
            with gzip.open(raw) as lines:
                yield cast(BinaryIO, lines)
        elif file.compression == "zstd":
            with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as stream:
                yield cast(BinaryIO, io.BufferedReader(stream, 1 << 17))
        else:
            yield raw


def _read_lines(lines: BinaryIO, *, rows: int, longest: int) -> list[bytes]:
    """Read a group of lines. Of a line that is too long, one byte more than is allowed is kept."""
    group: list[bytes] = []
    size = 0
    while len(group) < rows and size < BLOCK_BYTES and (line := lines.readline(longest + 1)):
        if len(line) > longest and not line.endswith(b"\n"):
            while (rest := lines.readline(longest)) and not rest.endswith(b"\n"):
                pass
            line += b"\n"
        group.append(line)
        size += len(line)
    return group


def _cut_parquet(file: InputFile, *, rows: int) -> Iterator[Block]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number, first_row = 0, 1
    with pq.ParquetFile(file.path) as content:
        for batch in content.iter_batches(batch_size=rows):
            yield Block(file, number, first_row, _to_stream(pa.Table.from_batches([batch])))
            number, first_row = number + 1, first_row + batch.num_rows
        if number == 0:  # a block without rows has the columns
            yield Block(file, 0, 1, _to_stream(content.schema_arrow.empty_table()))


def _join_parquet(file: InputFile, parts: Iterable[BinaryIO], target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for part in parts:
        table = pa.ipc.open_stream(part).read_all()
        writer = writer or pq.ParquetWriter(target, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _parquet_schema(file: InputFile) -> Any:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file.path) as content:
        return content.schema_arrow


def _to_stream(table: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return cast(bytes, sink.getvalue().to_pybytes())


@contextmanager
def damage_reported(file: InputFile) -> Iterator[None]:
    """Raise a SeqlabError if the block cannot read the file."""
    try:
        yield
    # BadGzipFile is an OSError, pyarrow's ArrowInvalid a ValueError.
    except (EOFError, OSError, ValueError, zlib.error, zstandard.ZstdError) as error:
        raise SeqlabError(
            "the file cannot be read",
            where=str(file.path),
            received=f"{type(error).__name__}: {str(error)[:300]}",
            remedy="replace the file and run the command again: finished blocks of other files are kept",
        ) from error
