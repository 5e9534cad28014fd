"""One thin module per DVC stage: read the parameters, load, call, write.

dvc.yaml runs `sh src/stage.sh train ner`. A stage runs in the repository's working tree; `DVC_ROOT` is the
repository itself, which is another folder if the stage is part of a queued experiment.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from seqlab.credentials import protect_output, without_credentials
from seqlab.errors import SeqlabError, disk_error


class TerminatedError(KeyboardInterrupt):
    """SIGTERM was received: the stage ends as it does after Ctrl-C."""


def repository_root() -> Path:
    """Return the repository's root, also in an experiment's temporary copy of it."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def task_folders(task: str) -> tuple[Path, Path, Path]:
    """Return the task's folders of prepared data, models and metrics."""
    return Path("data/prepared") / task, Path("models") / task, Path("metrics") / task


def run_stage(stage: Callable[..., None], *names: str) -> int:
    """Call a stage with its command-line arguments. Errors meant for the user and signals have no traceback.

    Args:
        stage: called with the arguments by position.
        names: the names of the arguments.

    Returns:
        The exit status: 0, 1 after an error, 130 after Ctrl-C (SIGINT), or 143 after SIGTERM.
    """
    parser = argparse.ArgumentParser(prog=f"sh src/stage.sh {stage.__name__}", description=stage.__doc__)
    for name in names:
        parser.add_argument(name)
    arguments = parser.parse_args()
    configure_logging()
    protect_output()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        stage(**vars(arguments))
    except SeqlabError as error:
        print(f"error: {without_credentials(str(error))}", file=sys.stderr)
        return 1
    except Exception as error:
        if (full := disk_error(error)) is None:
            raise
        print(f"error: {without_credentials(str(full))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        number = signal.SIGTERM if isinstance(error, TerminatedError) else signal.SIGINT
        command = " ".join((stage.__name__, *vars(arguments).values()))
        print(f"{command} was stopped by {number.name}; `dvc repro` runs it again", file=sys.stderr)
        return 128 + number
    return 0


def _terminate(*_: object) -> None:
    raise TerminatedError("stopped by SIGTERM")


class _LineFormatter(logging.Formatter):
    """A message alone, with its level if it is a warning or worse."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {text}"


def configure_logging(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Write the log of seqlab's modules, from a level, to a stream, by default standard output."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_LineFormatter())
    package = logging.getLogger("seqlab")
    package.handlers = [handler]
    package.setLevel(level)
    package.propagate = False
