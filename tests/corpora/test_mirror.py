from __future__ import annotations

import dataclasses

import pytest

from seqlab.corpora.mirror import (
    MIRROR_VARIABLE,
    FilesUnavailableError,
    Source,
    fetch_sources,
    mirror_base,
    mirror_location,
)
from seqlab.corpora.pins import Pin, PinMismatchError
from seqlab.errors import CorpusError

NOBODY = "http://127.0.0.1:9"
PIN = Pin("sha256", "0" * 64)


@pytest.fixture
def downloads(tmp_path):
    return tmp_path / "downloads"


@pytest.fixture(autouse=True)
def _no_mirror_from_outside(monkeypatch):
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://example.org/a/train.conll", "example.org/a/train.conll"),
        ("https://example.org:8080/a/train.conll?raw=true", "example.org/a/train.conll"),
        ("https://example.org/a%20b/train.conll", "example.org/a b/train.conll"),
    ],
)
def test_files_lie_below_the_host_s_name(url, path):
    assert Source(url, PIN).mirror_path == path


@pytest.mark.parametrize(
    "url", ["train.conll", "https://example.org/../../etc/passwd", "https://e.org/%2e%2e/a"]
)
def test_an_address_that_leaves_the_mirror_is_refused(url):
    with pytest.raises(CorpusError, match="not an address that a mirror can hold"):
        _ = Source(url, PIN).mirror_path


def test_the_parameter_goes_before_the_environment(monkeypatch):
    assert mirror_base() is None
    monkeypatch.setenv(MIRROR_VARIABLE, "/mirrors/ours")
    assert mirror_base() == "/mirrors/ours"
    assert mirror_base("http://mirror.example.org") == "http://mirror.example.org"


def test_a_mirror_is_a_folder_or_an_address(tmp_path):
    source = Source("https://example.org/a%20b/train.conll", PIN)
    assert mirror_location(str(tmp_path), source) == str(tmp_path / "example.org/a b/train.conll")
    assert mirror_location("http://m.org/base/", source) == "http://m.org/base/example.org/a%20b/train.conll"


def test_a_mirror_is_asked_before_the_origin(publish, loopback_mirror, downloads):
    source = publish(f"{NOBODY}/train.conll", "text")
    for base in (loopback_mirror.address, str(loopback_mirror.folder)):
        target = downloads / base.replace("/", "_")
        paths = fetch_sources([source], target, mirror=base)
        assert paths == {source.url: target / "127.0.0.1/train.conll"}
        assert paths[source.url].read_bytes() == b"text"
    assert loopback_mirror.requests == [("127.0.0.1/train.conll", None)]


def test_what_a_mirror_lacks_comes_from_the_origin(loopback_mirror, tmp_path, downloads):
    address = loopback_mirror.put("train.conll", b"text")
    source = Source(address, Pin.of_file(loopback_mirror.folder / "train.conll"))
    paths = fetch_sources([source], downloads, mirror=str(tmp_path / "empty"))
    assert paths[address].read_bytes() == b"text"


def test_what_is_here_is_not_fetched_again(publish, loopback_mirror, downloads):
    source = publish(f"{NOBODY}/train.conll", "text")
    fetch_sources([source], downloads, mirror=loopback_mirror.address)
    loopback_mirror.requests.clear()
    fetch_sources([source], downloads, mirror=loopback_mirror.address)
    assert loopback_mirror.requests == []
    paths = fetch_sources([source], downloads)
    paths[source.url].write_bytes(b"t3xt")
    fetch_sources([source], downloads, mirror=loopback_mirror.address)
    assert paths[source.url].read_bytes() == b"text"


def test_downloads_are_a_mirror_themselves(publish, loopback_mirror, downloads, tmp_path):
    source = publish(f"{NOBODY}/train.conll", "text")
    fetch_sources([source], downloads, mirror=loopback_mirror.address)
    paths = fetch_sources([source], tmp_path / "others", mirror=str(downloads))
    assert paths[source.url].read_bytes() == b"text"


def test_wrong_bytes_in_a_mirror_stop_all(publish, loopback_mirror, downloads):
    source = publish(f"{NOBODY}/train.conll", "text")
    loopback_mirror.put(source.mirror_path, b"t3xt")
    with pytest.raises(PinMismatchError, match="the file's bytes are not the pinned ones"):
        fetch_sources([source], downloads, mirror=loopback_mirror.address)
    assert not (downloads / source.mirror_path).exists()


def test_files_that_cannot_be_had_are_all_named(publish, loopback_mirror, downloads, tmp_path):
    here = publish(f"{NOBODY}/train.conll", "text")
    missing = [
        dataclasses.replace(here, url=f"{NOBODY}/deep/{split}.conll", split=split)
        for split in ("dev", "test")
    ]
    mirror = tmp_path / "mirror"
    pauses = []
    with pytest.raises(FilesUnavailableError) as caught:
        fetch_sources(
            [here, *missing],
            downloads,
            mirror=str(mirror),
            offline_corpora=["sample", "files"],
            sleep=pauses.append,
        )
    assert str(caught.value) == (
        "2 of the corpus's files cannot be had\n"
        f"  expected: below a mirror's base, or below {downloads}:\n"
        f"    127.0.0.1/deep/dev.conll ({here.pin})\n"
        f"    127.0.0.1/deep/test.conll ({here.pin})\n"
        "  received: nothing at\n"
        f"    {mirror}/127.0.0.1/deep/dev.conll: no such file\n"
        f"    {NOBODY}/deep/dev.conll: no whole answer in 4 attempts: [Errno 111] Connection refused\n"
        f"    {mirror}/127.0.0.1/deep/test.conll: no such file\n"
        f"    {NOBODY}/deep/test.conll: no answer from this host\n"
        "  remedy: connect to the network; or put the files, under the paths above, into "
        f"{mirror} and name it in corpus.mirror or in SEQLAB_CORPUS_MIRROR; or set corpus.name to sample or "
        "files, which need no network"
    )
    assert pauses == [1.0, 2.0, 4.0]


def test_without_a_mirror_a_folder_is_asked_for(downloads):
    with pytest.raises(FilesUnavailableError, match=r"into a folder and name it in corpus\.mirror"):
        fetch_sources([Source(f"{NOBODY}/a.conll", PIN)], downloads, sleep=lambda pause: None)


def test_a_mirror_that_does_not_answer_is_given_up_for_the_origin(loopback_mirror, downloads):
    address = loopback_mirror.put("train.conll", b"text")
    source = Source(address, Pin.of_file(loopback_mirror.folder / "train.conll"))
    paths = fetch_sources([source], downloads, mirror=NOBODY, sleep=lambda pause: None)
    assert paths[address].read_bytes() == b"text"
