"""Tag the files of a folder into files of the same names, so that a run that was stopped can go on."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from seqlab.atomic import replaced_file, write_json
from seqlab.errors import SeqlabError
from seqlab.locks import LockedError, file_lock
from seqlab.serving.folders.block_tagger import Model, TaggedBlock
from seqlab.serving.folders.file_formats import (
    BLOCK_ROWS,
    Block,
    InputFile,
    check_columns,
    cut_blocks,
    find_input_files,
    join_parts,
)
from seqlab.serving.folders.workers import Workers
from seqlab.serving.tagging.stream import Progress

STATE = ".seqlab"
"""The folder, inside the output, of the settings, the finished files' names, and unfinished files' parts."""


@dataclass
class Totals:
    """Numbers of rows, of valid rows with text, of tokens and of invalid rows."""

    rows: int = 0
    texts: int = 0
    tokens: int = 0
    invalid: int = 0

    def add(self, other: Totals) -> None:
        """Add the numbers of other rows."""
        self.rows += other.rows
        self.texts += other.texts
        self.tokens += other.tokens
        self.invalid += other.invalid


def tag_folder(
    folder: Path,
    output: Path,
    *,
    model: Model,
    workers: Workers,
    block_rows: int = BLOCK_ROWS,
    show_progress: bool = False,
) -> Totals:
    """Tag every file of a folder into a file of the same name and format.

    Each tagged block is written atomically to a part of its own, by this process alone. When all blocks of
    a file are tagged, the parts are joined in order, and the result is renamed to its final name. A further
    call with the same arguments goes on with the blocks that have no part yet.

    Args:
        folder: the input; `find_input_files` says which files it may contain.
        output: a new folder, or the output of a call that was stopped.
        model: the model; the output refuses another one.
        workers: who tags the blocks.
        block_rows: maximum number of rows in a block.
        show_progress: show numbers and speed on stderr.

    Returns:
        The totals of all files, including those of earlier calls.

    Raises:
        SeqlabError: a folder or a file is not as expected. What is finished is kept.
    """
    _check_folders(folder, output)
    files = find_input_files(folder)
    for file in files:
        if file.kind == "parquet":
            check_columns(file, field=model.task)
    settings = {
        "model": model.digest(),
        "task": model.task,
        "format": model.format,
        "tokenized": model.tokenized,
        "int8": model.int8,
        "tag_scheme": model.tag_scheme,
        "block_rows": block_rows,
    }
    with _locked(output):
        _check_settings(output, settings)
        run = _FolderRun(output, files, model=model, block_rows=block_rows, show_progress=show_progress)
        for tagged in workers(run.blocks()):
            run.keep(tagged)
        shutil.rmtree(output / STATE / "parts", ignore_errors=True)
        run.progress.finish()
        return run.totals


@dataclass
class _FolderRun:
    output: Path
    files: list[InputFile]
    model: Model
    block_rows: int
    show_progress: bool
    totals: Totals = field(default_factory=Totals)

    def __post_init__(self) -> None:
        self.progress = Progress(shown=self.show_progress)
        self._by_name = {file.name: file for file in self.files}
        self._num_blocks: dict[str, int] = {}
        self._missing: Counter[str] = Counter()
        self._journal = self.output / STATE / "finished.jsonl"

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks that have no part yet, and finish the files whose parts are complete."""
        finished = self._finished()
        for file in self.files:
            state = _state_of(file)
            earlier = finished.get(file.name)
            if earlier is not None and earlier["input"] == state and (self.output / file.name).is_file():
                self.totals.add(Totals(**earlier["totals"]))
                continue
            parts = self._parts(file)
            known = parts / "input.json"
            if parts.is_dir() and not (known.is_file() and json.loads(known.read_text()) == state):
                shutil.rmtree(parts)  # the input has changed since
            write_json(known, state)
            self._missing[file.name] += 1  # until all blocks are cut
            number = -1
            for block in cut_blocks(file, rows=self.block_rows):
                number = block.number
                if _read_totals(self._part(file, number)) is None:
                    self._missing[file.name] += 1
                    yield block
            self._num_blocks[file.name] = number + 1
            self._finish_one(file)

    def keep(self, tagged: TaggedBlock) -> None:
        """Write a tagged block, and the file if it is the last one."""
        self.progress.clear()
        for problem in tagged.problems:
            print(f"error: {problem}", file=sys.stderr)
        file = self._by_name[tagged.file_name]
        totals = Totals(tagged.rows, tagged.texts, tagged.tokens, len(tagged.problems))
        with replaced_file(self._part(file, tagged.number)) as path, path.open("wb") as part:
            part.write(json.dumps({"bytes": len(tagged.data), **asdict(totals)}).encode() + b"\n")
            part.write(tagged.data)
        self.progress.advance(tagged.rows, tagged.tokens)
        self._finish_one(file)

    def _finish_one(self, file: InputFile) -> None:
        """Note that a block, or the cutting, is done; join the parts if nothing is missing any more."""
        self._missing[file.name] -= 1
        if self._missing[file.name]:
            return
        paths = [self._part(file, number) for number in range(self._num_blocks[file.name])]
        totals = Totals()
        for path in paths:
            part_totals = _read_totals(path)
            assert part_totals is not None, path
            totals.add(part_totals)
        joined = self._parts(file) / "joined"
        join_parts(file, _opened_parts(paths), joined, tag_format=self.model.tag_format)
        target = self.output / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        joined.replace(target)
        with self._journal.open("a", encoding="utf-8") as journal:
            entry = {"file": file.name, "input": _state_of(file), "totals": asdict(totals)}
            journal.write("\n" + json.dumps(entry))
        shutil.rmtree(self._parts(file))
        self.totals.add(totals)

    def _finished(self) -> dict[str, dict[str, Any]]:
        """Return the entries of finished files; the file of an entry that was cut off is joined again."""
        entries = {}
        for line in self._journal.read_text(encoding="utf-8").splitlines() if self._journal.exists() else ():
            try:
                entry = json.loads(line)
                entries[entry["file"]] = entry
            except ValueError:
                continue
        return entries

    def _parts(self, file: InputFile) -> Path:
        return self.output / STATE / "parts" / f"{file.name}.parts"

    def _part(self, file: InputFile, number: int) -> Path:
        return self._parts(file) / f"{number:08d}"


def _read_totals(path: Path) -> Totals | None:
    """Return the numbers of a part, None if there is none or it is incomplete."""
    try:
        with path.open("rb") as part:
            header = json.loads(part.readline())
            size = header.pop("bytes")
            return Totals(**header) if path.stat().st_size == part.tell() + size else None
    except (FileNotFoundError, ValueError):
        return None


def _opened_parts(paths: Iterable[Path]) -> Iterator[BinaryIO]:
    """Open one part after another, behind its header."""
    for path in paths:
        with path.open("rb") as part:
            part.readline()
            yield part


def _state_of(file: InputFile) -> dict[str, int]:
    """Return what shows that the content of a file has changed."""
    status = file.path.stat()
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _check_folders(folder: Path, output: Path) -> None:
    inside, outside = folder.resolve(), output.resolve()
    if inside == outside or inside in outside.parents or outside in inside.parents:
        raise SeqlabError(
            "the output and the input contain each other",
            where=str(output),
            expected=f"a folder outside {folder}",
            remedy="name another folder with --output",
        )
    if output.exists() and not (output.is_dir() and ((output / STATE).is_dir() or not any(output.iterdir()))):
        raise SeqlabError(
            "the output folder exists and was not written by `seqlab tag`",
            where=str(output),
            expected="a new or empty folder, or an unfinished output of `seqlab tag`",
            remedy="name another folder with --output",
        )


def _check_settings(output: Path, settings: dict[str, Any]) -> None:
    path = output / STATE / "settings.json"
    if not path.exists():
        write_json(path, settings)
        return
    earlier = json.loads(path.read_text(encoding="utf-8"))
    if earlier != settings:
        names = [name for name in settings if earlier.get(name) != settings[name]]
        raise SeqlabError(
            f"the output was started with a different {' and '.join(names)}",
            where=str(output),
            expected=", ".join(f"{name} {earlier.get(name)}" for name in names),
            received=", ".join(f"{name} {settings[name]}" for name in names),
            remedy="name another folder with --output, or delete this one",
        )


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Keep other processes from writing to the same output."""
    try:
        with file_lock(output / STATE / "lock", timeout_s=0):
            yield
    except LockedError:
        raise SeqlabError(
            "another process is tagging into this folder",
            where=str(output),
            remedy="wait until it has ended, or name another folder with --output",
        ) from None
