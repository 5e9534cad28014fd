from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import pytest

from seqlab.corpora.archives import UnsafeArchiveError, extract_archive
from seqlab.errors import CorpusError


@pytest.fixture
def zipped(tmp_path):
    def make(members):
        path = tmp_path / "corpus.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return make


@pytest.fixture
def tarred(tmp_path):
    def make(*members, mode="w:gz"):
        path = tmp_path / "corpus.tar"
        with tarfile.open(path, mode) as archive:
            for member, content in members:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return path

    return make


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder / "corpus"


def refusal(archive, target, **limits):
    with pytest.raises(UnsafeArchiveError) as caught:
        extract_archive(archive, target, **limits)
    assert list(target.parent.iterdir()) == []
    return str(caught.value)


def test_a_zip_is_unpacked(zipped, target):
    extract_archive(zipped({"train.txt": "a", "deep/": "", "deep/test.txt": "b"}), target)
    assert {path.name: path.read_text() for path in target.rglob("*.txt")} == {
        "train.txt": "a",
        "test.txt": "b",
    }


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_is_unpacked(tarred, target, mode):
    extract_archive(tarred((tarfile.TarInfo("deep/train.txt"), b"a"), mode=mode), target)
    assert (target / "deep/train.txt").read_bytes() == b"a"


def test_what_was_there_is_replaced(zipped, target):
    target.mkdir()
    (target / "old.txt").touch()
    extract_archive(zipped({"new.txt": ""}), target)
    assert [path.name for path in target.iterdir()] == ["new.txt"]


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "C:/evil.txt", "..\\evil.txt"]
)
def test_a_path_that_leaves_the_folder_is_refused(zipped, target, name):
    message = refusal(zipped({"good.txt": "a", name: "b"}), target)
    assert f"corpus.zip: the archive is refused: a path leaves the folder: {name!r}" in message


def test_a_tar_s_path_that_leaves_the_folder_is_refused(tarred, target):
    assert "a path leaves the folder: '../evil.txt'" in refusal(
        tarred((tarfile.TarInfo("../evil.txt"), b"")), target
    )


def test_a_link_in_a_tar_is_refused(tarred, target):
    link = tarfile.TarInfo("train.txt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    assert "'train.txt' is a link or a device" in refusal(tarred((link, b"")), target)


def test_a_link_in_a_zip_is_refused(tmp_path, target):
    link = zipfile.ZipInfo("train.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "'train.txt' is a link" in refusal(tmp_path / "corpus.zip", target)


def test_an_absurd_expansion_is_refused(zipped, target):
    archive = zipped({"zeros.txt": b"0" * 4_000_000})
    assert "the archive expands absurdly" in refusal(archive, target)
    extract_archive(archive, target, max_ratio=2_000)
    assert (target / "zeros.txt").stat().st_size == 4_000_000


def test_more_than_the_total_is_refused(zipped, target):
    members = {f"{i}.txt": bytes(range(256)) * 4 for i in range(10)}
    message = refusal(zipped(members), target, max_bytes=9_000)
    assert "the archive expands absurdly\n  expected: at most 9000 bytes" in message


def test_too_many_files_are_refused(zipped, target):
    assert "more than 3 files" in refusal(zipped({f"{i}.txt": "" for i in range(4)}), target, max_members=3)


def test_a_damaged_archive_is_named_so(zipped, target):
    archive = zipped({"train.txt": bytes(range(256)) * 100})
    content = bytearray(archive.read_bytes())
    content[60:80] = bytes(20)
    archive.write_bytes(content)
    with pytest.raises(CorpusError, match=r"corpus.zip: the archive cannot be unpacked\n  received: "):
        extract_archive(archive, target)
    assert list(target.parent.iterdir()) == []


def test_a_page_is_no_archive(tmp_path, target, html_page):
    (tmp_path / "corpus.zip").write_bytes(html_page)
    with pytest.raises(CorpusError, match="not an archive\n  expected: zip, or tar"):
        extract_archive(tmp_path / "corpus.zip", target)
