"""Safe extraction of zip archives."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from seqlab.errors import CorpusError, disk_error

MAX_BYTES = 1 << 30
MAX_MEMBERS = 10_000
_BLOCK_SIZE = 1 << 20
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


class UnsafeArchiveError(CorpusError):
    """An archive that would write outside its folder, or more than the limits."""


def extract_zip(
    archive: Path, directory: Path, *, max_bytes: int = MAX_BYTES, max_members: int = MAX_MEMBERS
) -> None:
    """Extract a zip archive into a new folder, completely or not at all.

    Sizes are counted while the files are written; the sizes in the archive's headers are ignored.

    Args:
        archive: the zip file.
        directory: the folder to make; it must not exist.
        max_bytes: limit on the size of all files together.
        max_members: limit on the number of files.

    Raises:
        UnsafeArchiveError: a path that leaves the folder, a link, or an archive over the limits.
        CorpusError: the file is not a zip archive, or is damaged or encrypted.
        OSError: no space is left on the disk.
    """
    written = 0
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}.") as temporary:
        root = Path(temporary) / "root"
        root.mkdir()
        try:
            with zipfile.ZipFile(archive) as zipped:
                members = [entry for entry in zipped.infolist() if not entry.is_dir()]
                if len(members) > max_members:
                    raise _unsafe(archive, f"{len(members)} files", f"at most {max_members}")
                for entry in members:
                    target = root / _safe_path(archive, entry)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with zipped.open(entry) as file, target.open("wb") as output:
                        while block := file.read(_BLOCK_SIZE):
                            written += len(block)
                            if written > max_bytes:
                                raise _unsafe(
                                    archive, "it expands beyond the limit", f"at most {max_bytes} bytes"
                                )
                            output.write(block)
        except _UNREADABLE as error:
            if isinstance(error, OSError) and disk_error(error):
                raise
            raise CorpusError(
                "the archive cannot be extracted",
                file=str(archive),
                expected="a zip file",
                received=f"{type(error).__name__}: {error}",
                remedy="download it again, and check that it is not an error page",
            ) from error
        root.rename(directory)


def _safe_path(archive: Path, entry: zipfile.ZipInfo) -> Path:
    name, path = entry.filename, PurePosixPath(entry.filename)
    if (entry.external_attr >> 16) & 0o170000 == 0o120000:
        raise _unsafe(archive, f"{name!r} is a link", "files and folders only")
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or ":" in path.parts[0]:
        raise _unsafe(archive, f"{name!r} leaves the folder", "paths below the folder")
    return Path(*path.parts)


def _unsafe(archive: Path, what: str, expected: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"the archive is refused: {what}",
        file=str(archive),
        expected=expected,
        remedy="do not extract it by hand either; download it from its original publisher",
    )
