"""Pretrained word vectors from a file."""

from __future__ import annotations

import bz2
import io
import re
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.batching.features import normalize_token
from seqlab.corpus.lines import READ_ERRORS, read_chunks
from seqlab.errors import SeqlabError

_COMPRESSIONS = (".gz", ".zst", ".bz2")
_TOGETHER = 1024
"""Lines whose numbers are parsed together."""
_ROWS_BYTES = 1 << 26
_SAMPLE_BYTES = 1 << 12
_HEADER = re.compile(rb"\s*(\d+)[ \t]+(\d+)\s*")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")
"""Bytes that text does not contain, and that a few hundred bytes of binary numbers practically always do."""
_FASTTEXT_MODEL = b"\xba\x16\x4f\x2f"
_FORMATS = "word2vec (text or binary), GloVe or fastText (.vec)"


@dataclass(frozen=True)
class WordVectors:
    """The vectors of a file.

    Args:
        forms: the normalised forms, in the order of the file.
        vectors: float32 (forms, D); (0, 0) for an empty file.
        read: the entries of the file; more than `forms` if several became equal.
    """

    forms: list[str]
    vectors: np.ndarray
    read: int


def read_vectors(path: Path, *, lowercase: bool, limit: int | None = None) -> WordVectors:
    """Read vectors in the text or binary format of word2vec, or in that of GloVe or fastText (`.vec`).

    Files with the extension `.gz`, `.zst` or `.bz2` are decompressed. Forms are normalised as tokens are. If
    several become equal, the first, most frequent one is kept. Forms may contain blanks, as some of GloVe do.

    Args:
        path: UTF-8 if it is text; an empty file means no vectors.
        lowercase: whether token ids fold case.
        limit: read only the first entries, which are the most frequent ones; None: all.

    Raises:
        SeqlabError: the file is missing or damaged, or an entry has a different number of values, a value
            that is not a finite number, or there are more or fewer entries than the first line says.
    """
    if not path.is_file():
        raise SeqlabError(
            "the file of word vectors does not exist",
            where=str(path),
            remedy="correct embedder.vectors in params.yaml; name an empty file for no vectors",
        )
    try:
        if path.suffix == ".bz2":
            with bz2.open(path) as unpacked:
                return _read(path, io.BufferedReader(unpacked), lowercase, limit)
        return _read(path, io.BufferedReader(_Chunks(read_chunks(path)), 1 << 20), lowercase, limit)
    except READ_ERRORS as error:
        raise SeqlabError(
            "the file of word vectors cannot be read",
            where=str(path),
            received=str(error) or type(error).__name__,
            remedy="download or compress it again",
        ) from error


def embeddings_for(
    entries: Sequence[str], rows: Mapping[str, int], vectors: np.ndarray, *, lowercase: bool
) -> np.ndarray:
    """Return the vectors by vocabulary id, float32 (len(entries), D), NaN for entries without a vector.

    Where token ids keep case, an entry without a vector gets that of its lower-case form.

    Args:
        entries: the entries of the vocabulary.
        rows: the row in `vectors` of each form.
        vectors: float32 (forms, D).
        lowercase: whether token ids fold case.
    """
    table = np.full((len(entries), vectors.shape[1]), np.nan, np.float32)
    for i, entry in enumerate(entries):
        row = rows.get(entry)
        if row is None and not lowercase:
            row = rows.get(normalize_token(entry, lowercase=True))
        if row is not None:
            table[i] = vectors[row]
    return table


def _read(path: Path, stream: io.BufferedReader, lowercase: bool, limit: int | None) -> WordVectors:
    start = stream.peek(_SAMPLE_BYTES)[:_SAMPLE_BYTES]
    if not start:
        return WordVectors([], np.zeros((0, 0), np.float32), 0)
    if start.startswith(_FASTTEXT_MODEL):
        raise SeqlabError(
            "this is a fastText model, not a file of vectors",
            where=str(path),
            expected=_FORMATS,
            remedy="use the .vec file that fastText writes beside it",
        )
    first = start.partition(b"\n")[0]
    header = _HEADER.fullmatch(first)
    count, dimension = map(int, header.groups()) if header else (None, 0)
    if header:
        stream.readline()
    body = start[len(first) + 1 :] if header else start
    name = path.with_suffix("") if path.suffix in _COMPRESSIONS else path
    if name.suffix == ".bin" or _BINARY.search(body):
        if not header:
            raise SeqlabError(
                "this is not a file of word vectors",
                where=str(path),
                expected=_FORMATS,
                received=f"binary data that begins with {start[:12]!r}",
                remedy="decompress it, or convert it to the text format of word2vec",
            )
        blocks = _binary_blocks(path, stream, dimension)
    else:
        blocks = _text_blocks(path, stream, dimension, first_line=2 if header else 1)
    rows: dict[str, None] = {}
    found = _Rows()
    read = 0
    for forms, values in blocks:
        if limit is not None:
            forms, values = forms[: limit - read], values[: limit - read]
        kept = []
        for i, form in enumerate(forms):
            key = normalize_token(_text(form), lowercase=lowercase)
            if key not in rows:
                rows[key] = None
                kept.append(i)
        found.add(values if len(kept) == len(values) else values[kept])
        read += len(forms)
        if read == limit:
            break
    if count is not None and read != (count if limit is None else min(count, limit)):
        raise SeqlabError(
            "the number of vectors differs from the one in the first line",
            where=f"{path}:1",
            expected=f"{count} vectors",
            received=f"{read}",
            remedy="if it is truncated, download it again; else correct or remove the first line",
        )
    return WordVectors(list(rows), found.joined(), read)


def _binary_blocks(
    path: Path, stream: io.BufferedReader, dimension: int
) -> Iterator[tuple[list[bytes], np.ndarray]]:
    """Yield forms and vectors of entries `form blank numbers`; a line end may follow the numbers."""
    number = 0
    is_last = False
    while not is_last:
        forms: list[bytes] = []
        numbers = bytearray()
        while len(forms) < _TOGETHER:
            form = bytearray()
            while (byte := stream.read(1)) not in (b" ", b"") and len(form) < _SAMPLE_BYTES:
                form += byte
            is_last = not byte and not form.strip()
            if is_last:
                break
            values = stream.read(4 * dimension)
            number += 1
            if byte != b" " or len(values) != 4 * dimension:
                raise SeqlabError(
                    "an entry is incomplete",
                    where=f"{path}, entry {number}",
                    expected=f"a word, a blank and {4 * dimension} bytes ({dimension} numbers)",
                    received=f"{len(values)} bytes after {_text(form[:40])!r}",
                    remedy="if the file is truncated, download it again",
                )
            forms.append(bytes(form).lstrip(b"\n"))
            numbers += values
        block = np.frombuffer(bytes(numbers), "<f4").reshape(len(forms), dimension)
        is_bad = ~np.isfinite(block).all(axis=1)
        if is_bad.any():
            bad = int(np.flatnonzero(is_bad)[0])
            raise SeqlabError(
                "not a finite number",
                where=f"{path}, entry {number - len(forms) + bad + 1}",
                expected=f"{dimension} numbers of 4 bytes",
                received=f"{block[bad].tolist()[:8]} after {_text(forms[bad])!r}",
                remedy="check that the file is in word2vec's binary format",
            )
        if forms:
            yield forms, block


def _text_blocks(
    path: Path, stream: io.BufferedReader, dimension: int, *, first_line: int
) -> Iterator[tuple[list[bytes], np.ndarray]]:
    """Yield forms and vectors of lines `form number ...`; a dimension of 0 is that of the first line."""
    number = first_line
    while lines := [line.rstrip(b"\r\n ") for _, line in zip(range(_TOGETHER), stream, strict=False)]:
        dimension = dimension or lines[0].count(b" ")
        parts = [line.partition(b" ") for line in lines]
        forms, values = [form for form, _, _ in parts], np.zeros(0, np.float32)
        if all(rest.count(b" ") == dimension - 1 and rest for _, _, rest in parts):
            values = _numbers(b" ".join(rest for _, _, rest in parts))
        if not dimension or len(values) != len(lines) * dimension or not np.isfinite(values).all():
            rows = [_parse_line(line, dimension, f"{path}:{number + i}") for i, line in enumerate(lines)]
            forms, values = [form for form, _ in rows], np.array([row for _, row in rows], np.float32)
        yield forms, values.reshape(len(lines), dimension)
        number += len(lines)


def _numbers(text: bytes) -> np.ndarray:
    """Parse numbers that are separated by blanks; what follows an invalid one is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.fromstring(text, np.float32, sep=" ")
        except ValueError:
            return np.zeros(0, np.float32)


def _parse_line(line: bytes, dimension: int, where: str) -> tuple[bytes, list[float]]:
    form, *values = line.rsplit(b" ", dimension) if dimension else [line]
    extra = form.split(b" ")[1:]
    if len(values) != dimension or not values or any(map(_is_number, extra)):
        received = len(line.split(b" ")) - 1
        raise SeqlabError(
            "wrong number of values",
            where=where,
            expected=f"a word and {dimension or 'its'} numbers",
            received=f"{received} values after {_text(line.partition(b' ')[0])!r}",
            remedy=f"use a file in the format of {_FORMATS}",
        )
    for value in values:
        if not _is_number(value) or not abs(float(value)) <= float(np.finfo(np.float32).max):
            raise SeqlabError(
                "not a finite number",
                where=where,
                expected=f"{dimension} numbers after {_text(form)!r}",
                received=repr(_text(value)),
                remedy="correct or remove the line",
            )
    return form, [float(value) for value in values]


def _text(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "replace")


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _Rows:
    """Rows of a matrix of unknown length, which takes little more memory than the matrix.

    Rows are collected in large arrays, whose memory the operating system takes back when they are deleted.
    """

    def __init__(self) -> None:
        self._arrays: deque[np.ndarray] = deque()
        self._free = 0

    def add(self, rows: np.ndarray) -> None:
        while len(rows):
            if not self._free:
                self._free = max(_ROWS_BYTES // (4 * rows.shape[1]), 1)
                self._arrays.append(np.empty((self._free, rows.shape[1]), np.float32))
            last, start = self._arrays[-1], len(self._arrays[-1]) - self._free
            part, rows = rows[: self._free], rows[self._free :]
            last[start : start + len(part)] = part
            self._free -= len(part)

    def joined(self) -> np.ndarray:
        """Return all rows and forget them; (0, 0) if there are none."""
        if not self._arrays:
            return np.zeros((0, 0), np.float32)
        self._arrays[-1] = self._arrays[-1][: len(self._arrays[-1]) - self._free]
        joined = np.empty((sum(map(len, self._arrays)), self._arrays[0].shape[1]), np.float32)
        end = 0
        while self._arrays:
            array = self._arrays.popleft()
            joined[end : end + len(array)] = array
            end += len(array)
        return joined


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._chunks, b"")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
