"""The files of a pretrained encoder: found, checked against their pin, and copied."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from seqlab.atomic import write_json
from seqlab.errors import SeqlabError
from seqlab.hub.remote_files import fetch_encoder, is_remote

PATTERNS = (
    "config.json",
    "*.safetensors",
    "model.safetensors.index.json",
    "model*.weights.h5",
    "model.weights.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "assets/tokenizer/*",
)
"""The files that make up an encoder: configuration, weights, and the tokenizer's."""


@dataclass(frozen=True)
class EncoderFiles:
    """What is known of an encoder's files.

    Args:
        source: as in `embedder.pretrained.source`.
        digest: SHA-256 of the files' names and contents.
        licence: as the README of the encoder names it; empty if it does not.
    """

    source: str
    digest: str
    licence: str

    @classmethod
    def read(cls, folder: Path) -> EncoderFiles | None:
        """Read what `copy_encoder` wrote below a folder; None if there is no encoder."""
        path = folder / "source.json"
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def copy_encoder(source: str, made: Path, *, digest: str | None, mirror: str | None = None) -> EncoderFiles:
    """Copy or download the files of an encoder into a folder, with `source.json`.

    Args:
        source: a folder, `hf://<organisation>/<name>`, or the name of a preset of KerasHub.
        made: the folder to write.
        digest: the expected digest, or None.
        mirror: a folder or an address, tried before the origin. Defaults to that of the environment.

    Raises:
        SeqlabError: there is no such folder or preset, files are not available, or the digest is another one.
    """
    if is_remote(source):
        fetch_encoder(source, made, mirror=mirror)
        folder = made
    else:
        folder = Path(source)
    names = encoder_file_names(folder)
    if "config.json" not in names:
        raise SeqlabError(
            "there is no pretrained encoder",
            where=f"embedder.pretrained.source, {source}",
            expected="a folder with config.json, the weights and the tokenizer's files",
            received=f"the files {', '.join(names)}" if names else "none of these files",
            remedy="correct embedder.pretrained.source in params.yaml",
        )
    found = EncoderFiles(source, files_digest(folder, names), _licence(folder))
    if digest and digest != found.digest:
        raise SeqlabError(
            "the files of the pretrained encoder do not have the pinned digest",
            where=f"embedder.pretrained.digest, {source}",
            expected=digest,
            received=found.digest,
            remedy="restore the files, or correct the pin",
        )
    for name in names if folder != made else ():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, made / name)
    write_json(made / "source.json", asdict(found))
    return found


def require_tracked_folder(source: str | None, *, below: Path) -> None:
    """Check that DVC notices a change of an encoder's files.

    Args:
        source: as in `embedder.pretrained.source`.
        below: the folder that is a dependency of the stage.

    Raises:
        SeqlabError: the source is a folder elsewhere, or below a link, which DVC does not follow.
    """
    if not source or is_remote(source):
        return
    folder = Path(source)
    if folder.resolve() != (below.resolve() / folder.resolve().name):
        raise SeqlabError(
            "changes to the pretrained encoder would not be noticed",
            where=f"embedder.pretrained.source, {source}",
            expected=f"a folder in {below} without symbolic links",
            received=str(folder.resolve()),
            remedy=f"copy the folder into {below}, and name the copy",
        )


def encoder_file_names(folder: Path) -> list[str]:
    """Return the names of an encoder's files below a folder, sorted."""
    found = {path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()}
    return sorted(path.relative_to(folder).as_posix() for path in found)


def files_digest(folder: Path, names: list[str]) -> str:
    """Return one SHA-256 of the names and contents of files."""
    digest = hashlib.sha256()
    for name in names:
        with (folder / name).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{content}  {name}\n".encode())
    return digest.hexdigest()


def _licence(folder: Path) -> str:
    """Return the licence that the first lines of README.md name, as Hugging Face writes them."""
    readme = folder / "README.md"
    if not readme.exists():
        return ""
    for line in readme.read_text(encoding="utf-8", errors="replace").splitlines()[:200]:
        name, _, value = line.partition(":")
        if name.strip() in ("license", "licence") and value.strip():
            return value.strip()
    return ""
