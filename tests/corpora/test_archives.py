from __future__ import annotations

import resource
import stat
import zipfile

import pytest

from seqlab.corpora.archives import UnsafeArchiveError, extract_zip
from seqlab.errors import CorpusError, disk_error


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
def target(tmp_path):
    folder = tmp_path / "extracted"
    folder.mkdir()
    return folder / "corpus"


def refusal(archive, target, **limits):
    with pytest.raises(UnsafeArchiveError) as caught:
        extract_zip(archive, target, **limits)
    assert list(target.parent.iterdir()) == []
    return str(caught.value)


def test_a_zip_is_extracted(zipped, target):
    extract_zip(zipped({"train.txt": "a", "deep/": "", "deep/test.txt": "b"}), target)
    assert {path.name: path.read_text() for path in target.rglob("*.txt")} == {
        "train.txt": "a",
        "test.txt": "b",
    }


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "C:/evil.txt", "..\\evil.txt"]
)
def test_a_path_that_leaves_the_folder_is_refused(zipped, target, name):
    message = refusal(zipped({"good.txt": "a", name: "b"}), target)
    assert f"corpus.zip: the archive is refused: {name!r} leaves the folder" in message


def test_a_link_in_a_zip_is_refused(tmp_path, target):
    link = zipfile.ZipInfo("train.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "'train.txt' is a link" in refusal(tmp_path / "corpus.zip", target)


def test_more_than_the_total_is_refused(zipped, target):
    members = {f"{i}.txt": bytes(range(256)) * 4 for i in range(10)}
    message = refusal(zipped(members), target, max_bytes=9_000)
    assert "it expands beyond the limit\n  expected: at most 9000 bytes" in message


def test_too_many_files_are_refused(zipped, target):
    assert "the archive is refused: 4 files\n  expected: at most 3" in refusal(
        zipped({f"{i}.txt": "" for i in range(4)}), target, max_members=3
    )


def test_sizes_in_the_headers_are_not_trusted(zipped, target):
    """A member of 100 kB that claims 10 bytes ends there: what follows does not reach the disk."""
    archive = zipped({"train.txt": bytes(100_000)})
    content = archive.read_bytes().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(content)
    with pytest.raises(CorpusError, match="the archive cannot be extracted"):
        extract_zip(archive, target)
    assert list(target.parent.iterdir()) == []


def test_a_full_disk_is_no_fault_of_the_archive(zipped, target):
    archive = zipped({"train.txt": bytes(range(256)) * 1000})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            extract_zip(archive, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "the file is larger than the system allows" in str(disk_error(raised.value))
    assert list(target.parent.iterdir()) == []


def test_a_damaged_archive_is_refused(zipped, target):
    archive = zipped({"train.txt": bytes(range(256)) * 100})
    content = bytearray(archive.read_bytes())
    content[60:80] = bytes(20)
    archive.write_bytes(content)
    with pytest.raises(CorpusError, match=r"the archive cannot be extracted\n  expected: a zip file"):
        extract_zip(archive, target)
    assert list(target.parent.iterdir()) == []


def test_an_html_page_is_refused(tmp_path, target, html_page):
    (tmp_path / "corpus.zip").write_bytes(html_page)
    with pytest.raises(CorpusError, match=r"cannot be extracted[\s\S]*check that it is not an error page"):
        extract_zip(tmp_path / "corpus.zip", target)
