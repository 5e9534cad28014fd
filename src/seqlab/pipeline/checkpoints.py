"""Checkpoints of trainings that are under way, outside DVC's outputs.

`<root>/.seqlab/checkpoints/<task>/<key>/` contains the state of one training, `state.npz`, and `run.json`,
which names its MLflow run. The key is a hash of all that the training depends on, so a checkpoint never
reaches another configuration. The folder is removed when the training has succeeded.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

import numpy as np

from seqlab.atomic import replaced_file
from seqlab.locks import LockedError, file_lock
from seqlab.params import TaskParams
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import STATE

logger = logging.getLogger(__name__)

KEPT = 3
"""Interrupted trainings of a task whose checkpoints are kept beside the current one, newest first."""

KEPT_BYTES = 4 << 30
"""Most bytes of these."""

CODE = (
    "batching",
    "cores.py",
    "corpus/sentence.py",
    "evaluation",
    "extras.py",
    "hub",
    "modeling",
    "pipeline",
    "stages/train.py",
    "tags.py",
)
"""What a training's result may depend on, below the package's folder."""

_LIBRARIES = ("keras", "tensorflow", "numpy")
_PREPARED = ("train", "dev", "vocabulary", "vectors.npy", "frozen_vectors.npy", "corpus.json")


class TrainingCheckpoint:
    """The last state of one training, in a folder of its own.

    Args:
        folder: contains `state.npz` and `run.json`.
        minutes: the state is also saved within an epoch after this time without a checkpoint.

    Attributes:
        run_json: names the run in which an interrupted training goes on; it exists only if the run contains
            no epoch that the checkpoint does not contain.
    """

    def __init__(self, folder: Path, *, minutes: float) -> None:
        self.folder, self.path, self.run_json = folder, folder / "state.npz", folder / "run.json"
        self.minutes = minutes
        self._saved = time.monotonic()
        self._arrays: dict[str, np.ndarray] | None = None
        self._run: TrackedRun | None = None
        self._has_warned = False
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob(".state.*"):
            unfinished.unlink(missing_ok=True)
        self._read()

    def _read(self) -> None:
        try:
            with np.load(self.path, allow_pickle=False) as file:
                self._arrays = dict(file)  # checks the CRC of every array
        except FileNotFoundError:
            return
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            logger.warning("%s cannot be read (%s); the training starts again", self.path, error)
            self.path.unlink(missing_ok=True)
            self.run_json.unlink(missing_ok=True)

    def load(self) -> Mapping[str, np.ndarray] | None:
        """Return the arrays of the interrupted training once, or None."""
        arrays, self._arrays = self._arrays, None
        return arrays

    def is_due(self) -> bool:
        """Whether the last checkpoint is older than `minutes`."""
        return time.monotonic() - self._saved >= 60 * self.minutes

    def save(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Replace the checkpoint. If the disk is full, keep the last one and warn once."""
        self._saved = time.monotonic()
        try:
            with replaced_file(self.path) as made, made.open("wb") as file:
                np.savez(file, allow_pickle=False, **dict(arrays))
                file.flush()
                os.fsync(file.fileno())
            if self._run and not self.run_json.exists():
                self._run.save(self.run_json)
        except OSError as error:
            # The run goes on to epochs that the checkpoint does not contain.
            self.run_json.unlink(missing_ok=True)
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "the checkpoint in %s cannot be written (%s); training continues", self.folder, error
                )

    def note_run(self, run: TrackedRun) -> None:
        """Name the run in which the training goes on if it is interrupted."""
        self._run = run
        with suppress(OSError):
            run.save(self.run_json)


@contextmanager
def open_checkpoint(
    root: Path, task: str, prepared: Path, *, params: TaskParams, seed: int, device: str
) -> Iterator[TrainingCheckpoint | None]:
    """Yield the checkpoint of a training, and remove it if the block succeeds.

    Yields None, with a warning, if another process trains the same configuration.

    Args:
        root: the repository's root.
        task: the task's name.
        prepared: the folder that the prepare stage wrote.
        params: the task's section of the parameters.
        seed: the seed.
        device: the parameter `device`.
    """
    folder = root / STATE / "checkpoints" / task
    key = training_key(prepared, params=params, seed=seed, device=device)
    try:
        with file_lock(folder / f"{key}.lock", timeout_s=0):
            _prune(folder, except_key=key)
            yield TrainingCheckpoint(folder / key, minutes=params.training.checkpoint_minutes)
            shutil.rmtree(folder / key, ignore_errors=True)
    except LockedError:
        logger.warning(
            "another process is training %s with the same parameters: this one writes no checkpoints", task
        )
        yield None


def training_key(prepared: Path, *, params: TaskParams, seed: int, device: str) -> str:
    """Return a hash of all that a training's result depends on: code, data, parameters and versions."""
    package = Path(__file__).parents[1]
    settings = {
        "params": params.model_dump(mode="json", exclude={"training": {"checkpoint_minutes"}}),
        "seed": seed,
        "device": [device, os.environ.get("CUDA_VISIBLE_DEVICES"), platform.machine()],
        "versions": [platform.python_version(), *map(metadata.version, _LIBRARIES)],
        "backend": os.environ.get("KERAS_BACKEND"),
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for base, names in ((package, CODE), (prepared, _PREPARED)):
        for path in _files(base, names):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(base)} {content}\n".encode())
    return digest.hexdigest()[:16]


def _files(base: Path, names: Sequence[str]) -> list[Path]:
    """Return the files below `base/name`, without compiled ones."""
    found = [path for name in names for path in ((base / name), *(base / name).rglob("*"))]
    return sorted(path for path in found if path.is_file() and path.suffix != ".pyc")


def _prune(folder: Path, *, except_key: str) -> None:
    """Remove the checkpoints beyond the newest few, unless their training is running."""
    others = [path for path in folder.iterdir() if path.is_dir() and path.name != except_key]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for number, path in enumerate(others):
        total += sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        if number >= KEPT or total > KEPT_BYTES:
            lock = folder / f"{path.name}.lock"
            with suppress(LockedError), file_lock(lock, timeout_s=0):
                shutil.rmtree(path, ignore_errors=True)
                lock.unlink(missing_ok=True)
