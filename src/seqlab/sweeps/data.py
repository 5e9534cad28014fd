"""Prepared data of a sweep: made once for all trials whose parameters of preparation are equal."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

from seqlab.params import Params
from seqlab.pipeline.downloading import fetch_corpus
from seqlab.pipeline.preparing import preparation_settings, prepare_task

PREPARED = "prepared"


def downloads_folder(root: Path) -> Path:
    """Return the folder of downloaded corpora, which the download stage uses too."""
    return root / "data" / "downloads"


def data_key(params: Params, task: str) -> str:
    """Return a hash of the parameters and the local files that a task's prepared data depends on.

    A file counts by its size and modification time, so that a continued sweep notices a corrected corpus.
    """
    embedder, files = params.task(task).embedder, params.corpus.files
    sources = [embedder.vectors, embedder.pretrained.source]
    if params.corpus.name == "files":
        sources += [files.train, files.dev, files.test]
    settings: list[object] = [params.corpus.model_dump(mode="json"), preparation_settings(params.task(task))]
    settings.append([_file_states(Path(source)) for source in sources if source])
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def prepare_data(folder: Path, params: Params, task: str, *, downloads: Path) -> Path:
    """Return the prepared data for these parameters, `folder/KEY/prepared`; make it if it is not there.

    Relative paths of corpora and vectors are relative to the working directory, as for the stages.

    Raises:
        SeqlabError: the corpus or the vectors do not exist, or are invalid.
    """
    made = folder / data_key(params, task) / PREPARED
    if not made.exists():
        alone = params.model_copy(update={"tasks": [task]})
        fetch_corpus(alone, made.parent / "raw", downloads=downloads)
        section, mirror = params.task(task), params.corpus.mirror
        prepare_task(made.parent / "raw", made, task=section, mirror=mirror)
    return made


def _file_states(path: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of a file, or of each file in a folder, if it exists."""
    files = ((file, file.stat()) for file in (path, *path.rglob("*")) if file.is_file())
    return sorted((str(file), state.st_size, state.st_mtime_ns) for file, state in files)


def pack(folder: Path) -> bytes:
    """Return a folder's files as one archive, for a machine that does not share the disk."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Write the files of an archive into a new folder."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extractall(folder)
