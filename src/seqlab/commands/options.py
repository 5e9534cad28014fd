"""Options that several commands have."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seqlab.api import default_task
from seqlab.tracking.same_run import warn_of_mixed_runs


class FileColumns(NamedTuple):
    """How CoNLL files are read, and the scheme of their spans."""

    columns: list[str]
    separator: str
    comment_prefix: str | None
    tag_scheme: str


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add `--task` and `--model`, by which `seqlab.load` finds an export."""
    parser.add_argument(
        "--task", metavar="TASK", help="default: the task of --model, the only exported task, or ner"
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="the folder of an export, models:/NAME@ALIAS, or an MLflow run id (default: models/TASK/export)",
    )


def warn_of_mixed_model(args: argparse.Namespace) -> None:
    """Warn if the model that the options name and the scores beside it come from different runs."""
    warn_of_mixed_runs(Path(args.model or f"models/{args.task or default_task()}"))


def file_columns(args: argparse.Namespace, *, columns: Sequence[str]) -> FileColumns:
    """Return `--columns`, `--separator` and `--tag-scheme`, or else what corpus.files in params.yaml says.

    Args:
        args: has these three.
        columns: those of a file if neither names them.
    """
    from seqlab.params_file import load_params

    defaults = load_params().corpus.files if Path("params.yaml").exists() else None
    return FileColumns(
        columns=args.columns.split(",") if args.columns else defaults.columns if defaults else list(columns),
        separator=args.separator or (defaults.separator if defaults else "tab"),
        comment_prefix=defaults.comment_prefix if defaults else "# ",
        tag_scheme=args.tag_scheme or (defaults.tag_scheme if defaults else "IOB2"),
    )
