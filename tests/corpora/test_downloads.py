from __future__ import annotations

import base64
import dataclasses
import sys

import pytest

from seqlab.corpora.downloads import (
    MIRROR_VARIABLE,
    FilesUnavailableError,
    NotFoundError,
    UnreachableError,
    _progress,
    fetch_file,
    fetch_sources,
)
from seqlab.corpora.pins import Pin, PinMismatchError, Source
from seqlab.errors import CorpusError

CONTENT = bytes(range(256)) * 800
PATH = "example.org/corpus/train.conll"


@pytest.fixture
def place(loopback_mirror):
    """The file in the mirror: its address and its pin."""
    address = loopback_mirror.put(PATH, CONTENT)
    return address, Pin.of_file(loopback_mirror.folder / PATH)


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "downloads" / "train.conll"


@pytest.fixture
def pauses():
    return []


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_path_is_copied(tmp_path, destination):
    source = tmp_path / "a file"
    source.write_bytes(CONTENT)
    fetch_file(str(source), destination, pin=Pin.of_file(source))
    assert destination.read_bytes() == CONTENT
    assert files_in(destination.parent) == ["train.conll"]


def test_a_file_address_is_copied(tmp_path, destination):
    source = tmp_path / "a file"
    source.write_bytes(CONTENT)
    fetch_file(source.as_uri(), destination, pin=Pin.of_file(source))
    assert destination.read_bytes() == CONTENT


def test_a_missing_path_is_not_there(tmp_path, destination):
    with pytest.raises(NotFoundError, match=r"nowhere: no such file$"):
        fetch_file(str(tmp_path / "nowhere"), destination, pin=Pin("sha256", "0" * 64))


def test_a_download_is_verified_and_put_in_place(place, destination):
    address, pin = place
    reports = []
    fetch_file(address, destination, pin=pin, report=lambda done, total: reports.append((done, total)))
    assert destination.read_bytes() == CONTENT
    assert files_in(destination.parent) == ["train.conll"]
    assert reports[0] == (0, len(CONTENT))
    assert reports[-1] == (len(CONTENT), len(CONTENT))
    assert reports == sorted(reports)


def test_a_download_that_breaks_off_is_gone_on_with(place, destination, loopback_mirror, fault, pauses):
    address, pin = place
    loopback_mirror.fail(PATH, fault(break_off_after=100_000), fault(break_off_after=50_000))
    fetch_file(address, destination, pin=pin, sleep=pauses.append)
    assert destination.read_bytes() == CONTENT
    assert loopback_mirror.requests == [(PATH, None), (PATH, "bytes=100000-"), (PATH, "bytes=150000-")]
    assert pauses == [1.0, 2.0]


def test_a_server_without_ranges_is_asked_anew(place, destination, loopback_mirror, fault, pauses):
    address, pin = place
    loopback_mirror.fail(PATH, fault(break_off_after=100_000), fault(without_ranges=True))
    fetch_file(address, destination, pin=pin, sleep=pauses.append)
    assert destination.read_bytes() == CONTENT


def test_what_a_killed_process_left_is_gone_on_with(place, destination, loopback_mirror, fault, pauses):
    address, pin = place
    loopback_mirror.fail(PATH, *[fault(break_off_after=1_000)] * 4)
    with pytest.raises(UnreachableError, match="no complete answer in 4 attempts"):
        fetch_file(address, destination, pin=pin, sleep=pauses.append)
    assert not destination.exists()
    loopback_mirror.requests.clear()
    fetch_file(address, destination, pin=pin)
    assert loopback_mirror.requests == [(PATH, "bytes=4000-")]
    assert destination.read_bytes() == CONTENT


def test_two_halves_of_two_versions_are_fetched_anew(place, destination, loopback_mirror):
    address, pin = place
    destination.parent.mkdir()
    (destination.parent / f"train.conll.{pin.digest[:12]}.part").write_bytes(b"x" * 5_000)
    fetch_file(address, destination, pin=pin)
    assert loopback_mirror.requests == [(PATH, "bytes=5000-"), (PATH, None)]
    assert destination.read_bytes() == CONTENT


def test_more_than_the_server_has_is_thrown_away(place, destination, pauses):
    address, pin = place
    destination.parent.mkdir()
    (destination.parent / f"train.conll.{pin.digest[:12]}.part").write_bytes(CONTENT * 2)
    fetch_file(address, destination, pin=pin, sleep=pauses.append)
    assert destination.read_bytes() == CONTENT


def test_a_whole_leftover_is_not_fetched_again(place, destination, loopback_mirror):
    address, pin = place
    destination.parent.mkdir()
    (destination.parent / f"train.conll.{pin.digest[:12]}.part").write_bytes(CONTENT)
    fetch_file(address, destination, pin=pin)
    assert loopback_mirror.requests == []
    assert destination.read_bytes() == CONTENT


def test_a_busy_server_is_tried_again_after_a_pause(place, destination, loopback_mirror, fault, pauses):
    address, pin = place
    loopback_mirror.fail(PATH, fault(status=503), fault(status=429))
    fetch_file(address, destination, pin=pin, sleep=pauses.append)
    assert destination.read_bytes() == CONTENT
    assert pauses == [1.0, 2.0]


def test_pauses_grow_up_to_half_a_minute(place, destination, loopback_mirror, fault, pauses):
    address, pin = place
    loopback_mirror.fail(PATH, *[fault(status=503)] * 8)
    with pytest.raises(UnreachableError) as caught:
        fetch_file(address, destination, pin=pin, attempts=8, sleep=pauses.append)
    assert str(caught.value) == (
        f"{address}: no complete answer in 8 attempts\n  received: 503 Service Unavailable"
    )
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_connection_that_always_breaks_off_says_where(place, destination, loopback_mirror, fault, pauses):
    address, pin = place
    loopback_mirror.fail(PATH, *[fault(break_off_after=0)] * 2)
    with pytest.raises(UnreachableError, match=f"after 0 of {len(CONTENT)} bytes"):
        fetch_file(address, destination, pin=pin, attempts=2, sleep=pauses.append)


def test_nobody_at_the_address_is_unreachable(destination, pauses):
    with pytest.raises(UnreachableError, match="Connection refused"):
        fetch_file("http://127.0.0.1:9/x", destination, pin=Pin("sha256", "0" * 64), sleep=pauses.append)
    assert pauses == [1.0, 2.0, 4.0]


def test_a_missing_file_is_not_asked_for_twice(loopback_mirror, destination, pauses):
    with pytest.raises(NotFoundError, match="the server answers 404 Not Found"):
        fetch_file(
            f"{loopback_mirror.address}/none", destination, pin=Pin("sha256", "0" * 64), sleep=pauses.append
        )
    assert len(loopback_mirror.requests) == 1
    assert pauses == []


def test_an_error_page_with_status_200_is_refused(place, destination, loopback_mirror, fault, html_page):
    address, pin = place
    loopback_mirror.fail(PATH, fault(body=html_page))
    with pytest.raises(PinMismatchError, match="the server sent an HTML page instead of the file") as caught:
        fetch_file(address, destination, pin=pin)
    assert str(caught.value).startswith(address)
    assert files_in(destination.parent) == []


def test_a_truncated_file_is_refused(place, destination, loopback_mirror, fault):
    address, pin = place
    loopback_mirror.fail(PATH, fault(body=CONTENT[:1000]))
    with pytest.raises(
        PinMismatchError, match=f"the file is truncated: 1000 bytes instead of {len(CONTENT)}"
    ):
        fetch_file(address, destination, pin=pin)
    assert files_in(destination.parent) == []


def test_a_flipped_byte_is_refused(place, destination, loopback_mirror):
    address, pin = place
    loopback_mirror.put(PATH, CONTENT[:-1] + b"!")
    with pytest.raises(PinMismatchError, match="the file's bytes differ from the pinned ones") as caught:
        fetch_file(address, destination, pin=pin)
    assert pin.digest in str(caught.value)
    assert Pin.of_file(loopback_mirror.folder / PATH).digest in str(caught.value)
    assert files_in(destination.parent) == []


def test_an_answer_that_does_not_end_is_cut(place, destination, loopback_mirror, fault):
    address, pin = place
    loopback_mirror.fail(PATH, fault(body=CONTENT * 20, without_length=True))
    with pytest.raises(PinMismatchError, match="the file has another size") as caught:
        fetch_file(address, destination, pin=pin)
    received = int(str(caught.value).split("another size: ")[1].split()[0])
    assert len(CONTENT) < received <= len(CONTENT) + 65536


def test_what_was_at_the_destination_stays_when_fetching_fails(place, destination, loopback_mirror):
    address, pin = place
    destination.parent.mkdir()
    destination.write_bytes(b"before")
    loopback_mirror.put(PATH, b"wrong")
    with pytest.raises(PinMismatchError):
        fetch_file(address, destination, pin=pin)
    assert destination.read_bytes() == b"before"


def test_a_full_disk_is_no_broken_connection(place, destination, pauses):
    address, pin = place
    destination.parent.mkdir()
    (destination.parent / f"train.conll.{pin.digest[:12]}.part").symlink_to("/dev/full")
    with pytest.raises(CorpusError, match="the download cannot be written") as caught:
        fetch_file(address, destination, pin=pin, sleep=pauses.append)
    assert "No space left on device" in str(caught.value)
    assert pauses == []


NOBODY = "http://127.0.0.1:9"
PIN = Pin("sha256", "0" * 64)


@pytest.fixture
def downloads(tmp_path):
    return tmp_path / "downloads"


@pytest.fixture(autouse=True)
def _no_mirror_from_outside(monkeypatch):
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)


def test_the_parameter_overrides_the_environment(publish, loopback_mirror, downloads, monkeypatch):
    source = publish(f"{NOBODY}/train.conll", "text")
    monkeypatch.setenv(MIRROR_VARIABLE, str(loopback_mirror.folder))
    assert fetch_sources([source], downloads)[source.url].read_bytes() == b"text"
    with pytest.raises(FilesUnavailableError):
        fetch_sources([source], downloads / "2", mirror="/nowhere", sleep=lambda pause: None)


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
    with pytest.raises(PinMismatchError, match="the file's bytes differ from the pinned ones"):
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
        "2 of the corpus's files are not available\n"
        f"  expected: below a mirror's base, or below {downloads}:\n"
        f"    127.0.0.1/deep/dev.conll ({here.pin})\n"
        f"    127.0.0.1/deep/test.conll ({here.pin})\n"
        "  received: nothing at\n"
        f"    {mirror}/127.0.0.1/deep/dev.conll: no such file\n"
        f"    {NOBODY}/deep/dev.conll: no complete answer in 4 attempts: [Errno 111] Connection refused\n"
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


def test_credentials_of_a_mirror_are_not_shown(publish, downloads, caplog):
    source = publish(f"{NOBODY}/train.conll", "text")
    mirror = "http://user:secret@127.0.0.1:9/base"
    with pytest.raises(FilesUnavailableError) as caught:
        fetch_sources([source], downloads, mirror=mirror, sleep=lambda pause: None)
    assert "http://127.0.0.1:9/base/127.0.0.1/train.conll: no complete answer" in str(caught.value)
    assert "secret" not in str(caught.value) + caplog.text


def test_a_mirror_with_a_password_receives_it_and_those_it_redirects_to_do_not(
    publish, loopback_mirror, downloads, fault
):
    source = publish("https://example.org/corpus/train.conll", CONTENT)
    loopback_mirror.put("elsewhere", CONTENT)
    loopback_mirror.fail(PATH, fault(status=302, location=f"{loopback_mirror.address}/elsewhere"))
    mirror = loopback_mirror.address.replace("://", "://name:sec%40ret@")
    fetch_sources([source], downloads, mirror=mirror)
    expected = f"Basic {base64.b64encode(b'name:sec@ret').decode()}"
    assert loopback_mirror.authorizations == [expected, None]


@pytest.mark.parametrize(
    "mirror",
    ["http://[x", "http://name:secret@[x", "http://name:secret@host:port", "http://name:sec#secret@host"],
)
def test_an_invalid_address_of_a_mirror(mirror, publish, downloads):
    source = publish("https://example.org/corpus/train.conll", CONTENT)
    message = (
        rf"corpus.mirror or {MIRROR_VARIABLE}: the address of the mirror is invalid\n  expected: a folder"
    )
    with pytest.raises(CorpusError, match=message) as raised:
        fetch_sources([source], downloads, mirror=mirror)
    assert "sec" not in str(raised.value)


@pytest.mark.parametrize(
    "mirror",
    [
        "http://name:secret@127.0.0.1:{port}",
        "ftp://name:secret@host",
        "name:secret@host",
        "http://127.0.0.1:{port}?token=secret",
    ],
)
def test_no_failure_shows_the_credentials_of_a_mirror(mirror, downloads, free_port, caplog):
    source = Source("http://127.0.0.1:1/corpus/train.conll", Pin("sha256", "0" * 64))
    with pytest.raises(FilesUnavailableError) as raised:
        fetch_sources([source], downloads, mirror=mirror.format(port=free_port), sleep=lambda _: None)
    assert "secret" not in str(raised.value) + caplog.text


def test_progress_is_logged_at_every_tenth_without_a_terminal(caplog):
    caplog.set_level("INFO", logger="seqlab")
    with _progress("train.conll") as report:
        for done in range(0, 1001, 10):
            report(done, 1000)
    assert len(caplog.messages) == 11
    assert caplog.messages[1] == "train.conll: 100 of 1,000 bytes (10 %)"


def test_progress_is_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    with _progress("train.conll") as report:
        report(500, 1000)
    assert "train.conll" in capsys.readouterr().err
