from __future__ import annotations

import pytest

from seqlab.corpora.fetching import NotThereError, UnreachableError, fetch_file
from seqlab.corpora.pins import Pin, PinMismatchError
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
    with pytest.raises(NotThereError, match=r"nowhere: no such file$"):
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
    with pytest.raises(UnreachableError, match="no whole answer in 4 attempts"):
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
        f"{address}: no whole answer in 8 attempts\n  received: 503 Service Unavailable"
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
    with pytest.raises(NotThereError, match="the server answers 404 Not Found"):
        fetch_file(
            f"{loopback_mirror.address}/none", destination, pin=Pin("sha256", "0" * 64), sleep=pauses.append
        )
    assert len(loopback_mirror.requests) == 1
    assert pauses == []


def test_an_error_page_with_status_200_is_refused(place, destination, loopback_mirror, fault, html_page):
    address, pin = place
    loopback_mirror.fail(PATH, fault(body=html_page))
    with pytest.raises(PinMismatchError, match="an HTML page came instead of the file") as caught:
        fetch_file(address, destination, pin=pin)
    assert str(caught.value).startswith(address)
    assert files_in(destination.parent) == []


def test_a_truncated_file_is_refused(place, destination, loopback_mirror, fault):
    address, pin = place
    loopback_mirror.fail(PATH, fault(body=CONTENT[:1000]))
    with pytest.raises(
        PinMismatchError, match=f"the file is truncated: 1000 bytes where {len(CONTENT)} were expected"
    ):
        fetch_file(address, destination, pin=pin)
    assert files_in(destination.parent) == []


def test_a_flipped_byte_is_refused(place, destination, loopback_mirror):
    address, pin = place
    loopback_mirror.put(PATH, CONTENT[:-1] + b"!")
    with pytest.raises(PinMismatchError, match="the file's bytes are not the pinned ones") as caught:
        fetch_file(address, destination, pin=pin)
    assert pin.digest in str(caught.value)
    assert Pin.of_file(loopback_mirror.folder / PATH).digest in str(caught.value)
    assert files_in(destination.parent) == []


def test_an_answer_that_does_not_end_is_cut(place, destination, loopback_mirror, fault):
    address, pin = place
    loopback_mirror.fail(PATH, fault(body=CONTENT * 20, without_length=True))
    with pytest.raises(PinMismatchError, match="the file is another one") as caught:
        fetch_file(address, destination, pin=pin)
    received = int(str(caught.value).split("another one: ")[1].split()[0])
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
