from __future__ import annotations

import gzip
import os

import pytest
import zstandard

from seqlab.corpus.lines import scan_lines
from seqlab.errors import CorpusError

TEXT = "Zürich\tB-LOC\n\nשלום\tO\n"
LINES = ["Zürich\tB-LOC", "", "שלום\tO"]


def write(tmp_path, content, name="a.conll"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.conll", bytes), ("a.conll.gz", gzip.compress), ("a.conll.zst", zstandard.ZstdCompressor().compress)],
)
def test_plain_and_compressed_files_have_the_same_lines(tmp_path, name, pack):
    assert list(scan_lines(write(tmp_path, pack(TEXT.encode()), name))) == LINES


def test_a_zstandard_file_of_several_frames_is_read_to_its_end(tmp_path):
    pack = zstandard.ZstdCompressor().compress
    path = write(tmp_path, pack(b"a\nb") + pack(b"c\nd\n"), "a.zst")
    assert list(scan_lines(path)) == ["a", "bc", "d"]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\nb\r", ["a", "b"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"\xef\xbb\xbfa", ["a"]),
        ("a\u2028b\u0085c\x0bd\n".encode(), ["a\u2028b\u0085c\x0bd"]),
    ],
)
def test_line_ends_and_byte_order_marks(tmp_path, content, lines):
    assert list(scan_lines(write(tmp_path, content))) == lines


def test_lines_longer_than_a_chunk(tmp_path):
    lines = ["x" * 700_000, "é" * 300_000, "end"]
    assert list(scan_lines(write(tmp_path, "\n".join(lines).encode()))) == lines


def test_a_latin_1_line_is_an_error_and_reading_continues(tmp_path):
    first, error, last = scan_lines(
        write(tmp_path, "Zürich\nab café\nend".encode("latin-1").replace(b"\xfc", b"u"))
    )
    assert (first, last) == ("Zurich", "end")
    assert isinstance(error, CorpusError)
    assert str(error) == (
        f"{tmp_path}/a.conll:2:7: the text is not UTF-8\n"
        "  expected: text in UTF-8\n"
        "  received: byte 0xE9, which is 'é' in Latin-1\n"
        f"  remedy: if the file is in Latin-1, convert it: iconv -f ISO-8859-1 -t UTF-8 {tmp_path}/a.conll"
    )


def test_a_nul_is_an_error_in_its_line(tmp_path):
    _, error, last = scan_lines(write(tmp_path, b"a\nb\0c\nd\n"), display_name="my.conll")
    assert str(error) == (
        "my.conll:2:2: NUL in the text\n"
        "  expected: text in UTF-8 with LF or CRLF at the end of each line\n"
        "  received: '\\x00'\n"
        "  remedy: remove it, or if the file is in UTF-16: iconv -f UTF-16 -t UTF-8 my.conll"
    )
    assert last == "d"


def test_a_carriage_return_inside_a_line_is_an_error(tmp_path):
    (error,) = scan_lines(write(tmp_path, b"a\tO\rb\tO\r"))
    assert "a.conll:1:4: carriage return inside a line" in str(error)


@pytest.mark.parametrize(("name", "pack"), [("a.gz", gzip.compress), ("a.zst", zstandard.compress)])
def test_a_truncated_file_raises(tmp_path, name, pack):
    packed = pack(os.urandom(50_000).hex().encode())
    with pytest.raises(
        CorpusError, match=rf"{name}.*: the compressed file is truncated or corrupt\n  received: .*end"
    ):
        list(scan_lines(write(tmp_path, packed[: len(packed) // 2], name)))


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
def test_a_file_that_is_not_compressed_raises(tmp_path, name):
    with pytest.raises(CorpusError, match="the compressed file is truncated or corrupt"):
        list(scan_lines(write(tmp_path, b"<html>not found</html>", name)))


def test_a_flipped_byte_in_a_compressed_file_raises(tmp_path):
    packed = bytearray(gzip.compress(b"a\tO\n" * 1000))
    packed[-6] ^= 1
    with pytest.raises(CorpusError, match="the compressed file is truncated or corrupt"):
        list(scan_lines(write(tmp_path, bytes(packed), "a.gz")))


def test_an_overlong_line_raises(tmp_path):
    path = write(tmp_path, gzip.compress(b"a\n" + b"x" * 40_000_000), "a.gz")
    with pytest.raises(
        CorpusError, match=r"a\.gz:2: the line is too long\n  expected: at most 1048576 bytes"
    ):
        list(scan_lines(path))


def test_a_missing_file(tmp_path):
    with pytest.raises(CorpusError, match=r"none\.conll: no such file\n  remedy: check the path"):
        list(scan_lines(tmp_path / "none.conll"))


def test_a_folder(tmp_path):
    with pytest.raises(CorpusError, match="this is a folder\n  expected: a file"):
        list(scan_lines(tmp_path))


def test_a_path_through_a_file(tmp_path):
    path = write(tmp_path, b"a")
    with pytest.raises(CorpusError, match="the file cannot be read"):
        list(scan_lines(path / "b"))


def test_a_file_that_grows_while_it_is_read(tmp_path):
    path = write(tmp_path, b"a\n")
    lines = scan_lines(path, display_name="my.conll")
    assert next(lines) == "a"
    with path.open("ab") as stream:
        stream.write(b"b\n")
    with pytest.raises(CorpusError, match=r"my\.conll: the file changed while it was read"):
        list(lines)


def test_a_file_that_is_removed_while_it_is_read(tmp_path):
    path = write(tmp_path, b"a\n")
    lines = scan_lines(path)
    next(lines)
    path.unlink()
    with pytest.raises(CorpusError, match="no such file"):
        list(lines)


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.conll")
    with pytest.raises(CorpusError, match=r"pipe\.conll: this is not a regular file"):
        next(scan_lines(tmp_path / "pipe.conll"))


def test_a_loop_of_links_cannot_be_read(tmp_path):
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(CorpusError, match=r"a: the file cannot be read"):
        next(scan_lines(tmp_path / "a"))
