"""`seqlab runs`: the MLflow runs of this checkout."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = ("seqlab runs",)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "runs",
        help="show the MLflow run of each task in this checkout, and files that do not belong to it",
        description="Compares dvc.lock, models, metrics and params.yaml with each task's run. The exit "
        "status is 1 if a task has no run, or if parameters, data or scores differ from those of its run.",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a row for each task, and below the table what in the checkout is not from its run."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from seqlab.pipeline.checkout_runs import checkout_runs

    found = checkout_runs(Path.cwd())
    table = Table("task", "run", "name", "commit", "checkout")
    for row in found:
        tags = row.run.tags if row.run else {}
        dirty = " (dirty)" if tags.get("git.dirty") == "true" else ""
        cells = (
            row.task,
            row.run_id[:12],
            row.run.name if row.run else "",
            tags.get("git.commit", "")[:10] + dirty,
        )
        state = "no run" if row.run is None else "differs" if row.problems else "as in the run"
        table.add_row(*map(Text, cells), state)
    console = Console(soft_wrap=True)
    console.print(table)
    for row in found:
        for text in (*row.problems, *(f"note: {note}" for note in row.notes)):
            console.print(Text(f"{row.task}: {text}"))
    return 1 if any(row.problems for row in found) else 0
