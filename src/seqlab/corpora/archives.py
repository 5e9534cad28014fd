"""Unpacking archives that others have made."""

from __future__ import annotations

import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from seqlab.errors import CorpusError

MAX_BYTES = 4 << 30
MAX_RATIO = 200
MAX_MEMBERS = 10_000
_SMALL = 1 << 20  # below this no ratio is absurd: a short file of one repeated letter is harmless
_BLOCK_SIZE = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,  # a zip with a password, or packed in a way that is not supported
)


class UnsafeArchiveError(CorpusError):
    """An archive that would write outside of its folder, or far more than it should."""


def extract_archive(
    archive: Path,
    directory: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_ratio: float = MAX_RATIO,
    max_members: int = MAX_MEMBERS,
) -> None:
    """Unpack a zip or tar archive (plain, gzip, bzip2, xz) into a new folder, wholly or not at all.

    Only files and folders are taken. Sizes are counted as they are written: what the archive says of itself
    is not believed.

    Args:
        archive: the file.
        directory: the folder to make; one that is there is replaced.
        max_bytes: the most that all files together may hold.
        max_ratio: the most bytes for each byte of the archive, once there is more than a mebibyte of them.
        max_members: the most files and folders.

    Raises:
        UnsafeArchiveError: a path that leaves the folder, a link or a device, or more than the limits.
        CorpusError: not an archive, or a damaged one.
    """
    limit = min(max_bytes, max(int(max_ratio * archive.stat().st_size), _SMALL))
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}.") as temporary:
        root = Path(temporary) / "root"
        root.mkdir()
        written = 0
        try:
            for count, (name, file) in enumerate(_members(archive), start=1):
                if count > max_members:
                    raise _unsafe(archive, f"more than {max_members} files", f"at most {max_members}")
                target = root / _safe_path(archive, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as output:
                    while block := file.read(_BLOCK_SIZE):
                        written += len(block)
                        if written > limit:
                            raise _unsafe(archive, "the archive expands absurdly", f"at most {limit} bytes")
                        output.write(block)
        except _UNREADABLE as error:
            raise CorpusError(
                "the archive cannot be unpacked",
                file=str(archive),
                received=f"{type(error).__name__}: {error}",
                remedy="fetch it again",
            ) from error
        if directory.exists():
            shutil.rmtree(directory)
        root.rename(directory)


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield each file's name and content; refuse what is neither file nor folder."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                if _is_zipped_link(entry):
                    raise _unsafe(archive, f"{entry.filename!r} is a link", "files and folders only")
                if not entry.is_dir():
                    with zipped.open(entry) as file:
                        yield entry.filename, file
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarred:
            for member in tarred:
                if member.isdir():
                    continue
                content = tarred.extractfile(member) if member.isreg() else None
                if content is None:
                    raise _unsafe(archive, f"{member.name!r} is a link or a device", "files and folders only")
                yield member.name, content
    else:
        raise CorpusError(
            "not an archive",
            file=str(archive),
            expected="zip, or tar, plain or packed with gzip, bzip2 or xz",
            remedy="fetch it again, and look into it: it may be an error page",
        )


def _is_zipped_link(entry: zipfile.ZipInfo) -> bool:
    unix_mode = entry.external_attr >> 16
    return unix_mode & 0o170000 == 0o120000


def _safe_path(archive: Path, name: str) -> Path:
    """Read a member's name as a path below the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or ":" in path.parts[0]:
        raise _unsafe(archive, f"a path leaves the folder: {name!r}", "paths below the folder")
    return Path(*path.parts)


def _unsafe(archive: Path, what: str, expected: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"the archive is refused: {what}",
        file=str(archive),
        expected=expected,
        remedy="do not unpack it by hand either before you know why; fetch it from its first publisher",
    )
