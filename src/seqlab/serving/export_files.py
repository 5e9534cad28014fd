"""SHA-256 digests of an export's files. They show damage; they do not show who made the files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from seqlab.errors import SeqlabError

CONFIG = "config.json"


def file_digests(directory: Path) -> dict[str, str]:
    """Return the hexadecimal digest of every file in a folder but config.json, by its path in the folder."""
    return {name: _digest(directory / name) for name in _names(directory)}


def check_files(directory: Path, digests: Mapping[str, str]) -> None:
    """Compare a folder with the digests in its config.json. Hidden files are ignored.

    Raises:
        SeqlabError: a file is missing, has another content, or is not listed.
    """
    names = _names(directory)
    for name in sorted({*names, *digests}):
        if name not in names:
            what, received = "a file of the export is missing", "no regular file"
        elif name not in digests:
            what, received = "a file that does not belong to the export", "a file without a digest"
        elif (digest := _digest(directory / name)) != digests[name]:
            what, received = "a file of the export is damaged", f"SHA-256 {digest}"
        else:
            continue
        raise SeqlabError(
            what,
            where=str(directory / name),
            expected=f"SHA-256 {digests[name]}" if name in digests else f"only files listed in {CONFIG}",
            received=received,
            remedy="copy or download the export again, or export it again (`dvc repro`)"
            if name in digests
            else "move it out of the folder",
        )


def _names(directory: Path) -> set[str]:
    paths = ((path, path.relative_to(directory)) for path in directory.rglob("*"))
    return {
        name.as_posix()
        for path, name in paths
        if path.is_file() and name.as_posix() != CONFIG and not any(part[0] == "." for part in name.parts)
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
