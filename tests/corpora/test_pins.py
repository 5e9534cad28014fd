from __future__ import annotations

import hashlib

import pytest

from seqlab.corpora.pins import Pin, PinMismatchError, Source, verify
from seqlab.errors import CorpusError

TEXT = b"Ann\tPROPN\nran\tVERB\n\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "train.conll"
    path.write_bytes(TEXT)
    return path


def refusal(path, pin):
    with pytest.raises(PinMismatchError) as caught:
        verify(path, pin, source="https://example.org/train.conll")
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "blob_id"),
    [
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
    ],
)
def test_a_git_blob_pin_is_the_id_that_git_gives(tmp_path, content, blob_id):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert Pin.of_file(path, algorithm="git-blob") == Pin("git-blob", blob_id, len(content))


def test_a_sha256_pin_is_the_content_s_hash(file):
    assert Pin.of_file(file) == Pin("sha256", hashlib.sha256(TEXT).hexdigest(), len(TEXT))


@pytest.mark.parametrize(
    "text", ["sha256:" + "0a" * 32, "git-blob:" + "f1" * 20, "git-blob:" + "f1" * 20 + ":12"]
)
def test_a_pin_is_read_from_its_text(text):
    pin = Pin.parse(text)
    assert str(pin) == ":".join(text.split(":")[:2])
    assert pin.size == (12 if text.endswith(":12") else None)


@pytest.mark.parametrize("text", ["", "md5:" + "0a" * 16, "sha256:0a", "git-blob:" + "F1" * 20, "f1" * 20])
def test_what_is_no_pin_is_refused(text):
    with pytest.raises(
        CorpusError, match="not a pin\n  expected: sha256:<64 hexadecimal digits> or git-blob"
    ):
        Pin.parse(text)


def test_the_right_bytes_pass(file):
    for algorithm in ("sha256", "git-blob"):
        pin = Pin.of_file(file, algorithm=algorithm)
        verify(file, pin, source="here")
        assert pin.matches(file)


def test_a_missing_file_does_not_match(tmp_path):
    assert not Pin("sha256", "0" * 64).matches(tmp_path / "none")


def test_wrong_bytes_of_the_right_length_are_refused_with_both_hashes(file):
    pin = Pin.of_file(file)
    file.write_bytes(TEXT.replace(b"A", b"B"))
    received = Pin.of_file(file)
    assert refusal(file, pin) == (
        "https://example.org/train.conll: the file's bytes differ from the pinned ones\n"
        f"  expected: sha256:{pin.digest}\n"
        f"  received: sha256:{received.digest}\n"
        "  remedy: download it again; if the error persists, this location has another version or a damaged "
        "copy. No bytes were kept"
    )
    assert not pin.matches(file)


def test_a_truncated_file_is_named_so(file):
    pin = Pin.of_file(file)
    file.write_bytes(TEXT[:7])
    assert f"the file is truncated: 7 bytes instead of {len(TEXT)}" in refusal(file, pin)


def test_a_longer_file_is_another_one(file):
    pin = Pin.of_file(file)
    file.write_bytes(TEXT * 2)
    assert f"the file has another size: {2 * len(TEXT)} bytes instead of {len(TEXT)}" in refusal(file, pin)


def test_without_a_size_other_bytes_are_just_that(file):
    assert "the file's bytes differ from the pinned ones" in refusal(file, Pin("git-blob", "0" * 40))


@pytest.mark.parametrize(
    "page",
    [b"<!DOCTYPE html><p>Sign in</p>", b"\xef\xbb\xbf\n <html lang=en>", b'<?xml version="1.0"?>\n<HTML>'],
)
def test_an_html_page_is_named_so(file, page):
    pin = Pin.of_file(file)
    file.write_bytes(page)
    message = refusal(file, pin)
    assert "the server sent an HTML page instead of the file" in message
    assert "open the address in a browser" in message


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://example.org/a/train.conll", "example.org/a/train.conll"),
        ("https://example.org:8080/a/train.conll?raw=true", "example.org/a/train.conll"),
        ("https://example.org/a%20b/train.conll", "example.org/a b/train.conll"),
    ],
)
def test_files_lie_below_the_host_s_name(url, path):
    assert Source(url, Pin("sha256", "0" * 64)).mirror_path == path


@pytest.mark.parametrize(
    "url", ["train.conll", "https://example.org/../../etc/passwd", "https://e.org/%2e%2e/a"]
)
def test_an_address_that_leaves_the_mirror_is_refused(url):
    with pytest.raises(CorpusError, match="this address has no path below a mirror"):
        _ = Source(url, Pin("sha256", "0" * 64)).mirror_path
