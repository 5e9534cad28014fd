"""Reading the lines of text files, plain or compressed, with an error for each invalid line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import suppress
from os import PathLike
from pathlib import Path

import zstandard

from seqlab.errors import CorpusError

_CHUNK_BYTES = 1 << 18
_COMPRESSED_CHUNK_BYTES = 1 << 12  # small, because zstd may expand it to many times its size
_MAX_LINE_BYTES = 1 << 20
READ_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def scan_lines(
    path: str | PathLike[str], *, display_name: str | None = None, max_line_bytes: int = _MAX_LINE_BYTES
) -> Iterator[str | CorpusError]:
    """Read a UTF-8 file line by line. Memory holds a chunk of the file and its longest line.

    Files with the extension `.gz` or `.zst` are decompressed. A byte order mark is removed. Lines end with LF
    or CRLF.

    Args:
        path: the file to read.
        display_name: the name of the file in errors, if the user knows it by another name.
        max_line_bytes: maximum length of a line.

    Yields:
        One item for each line: its text without the line end, or an error if the line is not UTF-8 or
        contains a NUL or a carriage return.

    Raises:
        CorpusError: the file does not exist, cannot be read, is truncated or corrupt, contains a line longer
            than the maximum, or changed while it was read.
    """
    path = Path(path)
    name = display_name or str(path)
    identity = _identify(path, name)
    line, rest = 0, b""
    try:
        for chunk in read_chunks(path):
            complete, newline, rest = (rest + chunk).rpartition(b"\n")
            if newline:
                for item in _decode(complete, line, name):
                    line += 1
                    yield item
            if len(rest) > max_line_bytes:
                raise CorpusError(
                    "the line is too long",
                    file=name,
                    line=line + 1,
                    expected=f"at most {max_line_bytes} bytes",
                    received=f"{len(rest)} bytes without a line end",
                    remedy="check that this is the intended file",
                )
    except READ_ERRORS as error:
        raise unreadable(error, name, line) from error
    if rest:
        yield from _decode(rest, line, name)
    if _identify(path, name) != identity:
        raise CorpusError(
            "the file changed while it was read",
            file=name,
            expected="the same size and modification time before and after reading",
            remedy="run again when no other program writes to the file",
        )


def _identify(path: Path, name: str) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise CorpusError("no such file", file=name, remedy="check the path") from error
    except OSError as error:
        raise CorpusError("the file cannot be read", file=name, received=str(error)) from error
    if path.is_dir():
        raise CorpusError("this is a folder", file=name, expected="a file", remedy="name a file in it")
    if not path.is_file():
        raise CorpusError("this is not a regular file", file=name, expected="a file", remedy="check the path")
    return status.st_ino, status.st_size, status.st_mtime_ns


def unreadable(error: Exception, name: str, line: int = 0) -> CorpusError:
    """Return the error for one of `READ_ERRORS`."""
    if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
        return CorpusError("the file cannot be read", file=name, line=line, received=str(error))
    return CorpusError(
        "the compressed file is truncated or corrupt",
        file=name,
        line=line,
        received=str(error),
        remedy="download or compress it again",
    )


def read_chunks(path: Path) -> Iterator[bytes]:
    """Read a plain, `.gz` or `.zst` file in chunks.

    Raises:
        Exception: one of `READ_ERRORS`.
    """
    if path.suffix == ".zst":
        yield from _read_zstandard(path)
        return
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _read_zstandard(path: Path) -> Iterator[bytes]:
    # The library's stream reader does not detect truncated files; its decompression objects do.
    frame = None
    with path.open("rb") as stream:
        while packed := stream.read(_COMPRESSED_CHUNK_BYTES):
            while packed:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                chunk, packed = frame.decompress(packed), b""
                if frame.eof:
                    packed, frame = frame.unused_data, None
                if chunk:
                    yield chunk
    if frame is not None:
        raise EOFError("the compressed file ended before its end marker was reached")


def _decode(data: bytes, lines_before: int, name: str) -> list[str] | list[str | CorpusError]:
    """Decode complete lines; all at once if none of them has an error."""
    if not lines_before:
        data = data.removeprefix(_BYTE_ORDER_MARK)
    data = data.replace(b"\r\n", b"\n").removesuffix(b"\r")
    if b"\0" not in data and b"\r" not in data:
        with suppress(UnicodeDecodeError):
            return data.decode().split("\n")
    return [_decode_line(raw, lines_before + i, name) for i, raw in enumerate(data.split(b"\n"), start=1)]


def _decode_line(raw: bytes, line: int, name: str) -> str | CorpusError:
    for byte, what in ((b"\0", "NUL in the text"), (b"\r", "carriage return inside a line")):
        if byte in raw:
            column = len(raw[: raw.index(byte)].decode(errors="replace")) + 1
            return CorpusError(
                what,
                file=name,
                line=line,
                column=column,
                expected="text in UTF-8 with LF or CRLF at the end of each line",
                received=repr(byte)[1:],
                remedy=f"remove it, or if the file is in UTF-16: iconv -f UTF-16 -t UTF-8 {name}",
            )
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        byte = raw[error.start : error.start + 1]
        return CorpusError(
            "the text is not UTF-8",
            file=name,
            line=line,
            column=len(raw[: error.start].decode()) + 1,
            expected="text in UTF-8",
            received=f"byte 0x{byte.hex().upper()}, which is {byte.decode('latin-1')!r} in Latin-1",
            remedy=f"if the file is in Latin-1, convert it: iconv -f ISO-8859-1 -t UTF-8 {name}",
        )
