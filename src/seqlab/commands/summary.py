"""`seqlab summary`: the results of the last `dvc repro`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from seqlab.params_file import load_params
from seqlab.tracking.same_run import warn_of_mixed_runs

_COLUMNS = ("task", "span F1", "token accuracy", "model", "MLflow run")

EXAMPLES = ("seqlab summary",)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("summary", help="show each task's test scores, model and MLflow run")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table, with what is missing for tasks that have not been evaluated."""
    rows: list[list[str]] = []
    corpora: dict[str, bool] = {}
    tasks = load_params().tasks
    for task in tasks:
        row, corpus = summary_row(task)
        rows.append(row)
        corpora |= corpus
    label = ", ".join(f"{name} (synthetic)" if synthetic else name for name, synthetic in corpora.items())
    table = Table(*_COLUMNS, title=f"Scores on test, corpus: {label or 'none yet'}", title_justify="left")
    for row in rows:
        table.add_row(*row)
    console = Console(soft_wrap=True)
    console.print(table)
    if any(corpora.values()):
        console.print("The sample corpus is synthetic: its scores say nothing about real text.")
    for task in tasks:
        warn_of_mixed_runs(Path("models") / task)
    console.print("Compare runs:  make ui")
    console.print(
        "Tag text:      source .venv/bin/activate; echo 'Marie Curie was born in Warsaw.' | seqlab tag"
    )
    return 0


def summary_row(task: str, *, root: Path = Path()) -> tuple[list[str], dict[str, bool]]:
    """Return a task's row of the table, and its corpus's name with whether that is synthetic."""
    metrics, model = root / "metrics" / task, root / "models" / task
    try:
        corpus = json.loads((metrics / "corpus.json").read_text(encoding="utf-8"))
        scores = json.loads((metrics / "evaluate.json").read_text(encoding="utf-8"))
        run = json.loads((model / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        return [task, "", "", f"missing: {error.filename}", ""], {}
    test, run_id = scores["test"], scores.get("run_id", run["run_id"])
    span_f1 = f"{test['span_f1']:.4f}" if "span_f1" in test else "-"
    where = str((model / "export").relative_to(root))
    return [task, span_f1, f"{test['token_accuracy']:.4f}", where, run_id[:12]], {
        corpus["corpus"]: corpus["synthetic"]
    }
