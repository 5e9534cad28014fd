"""`seqlab summary`: what the last `dvc repro` made."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from seqlab.params import load_params

_COLUMNS = ("task", "corpus", "test span F1", "test token accuracy", "model", "MLflow run")


def add_parser(subparsers: Any) -> None:
    """Add the command to `seqlab`'s parser."""
    parser = subparsers.add_parser("summary", help="show each task's test scores, model and MLflow run")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table; tasks that have not been evaluated yet are named."""
    table = Table(title="seqlab: scores on test", title_justify="left")
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    synthetic = False
    for task in load_params().tasks:
        row, from_synthetic = summary_row(task)
        synthetic |= from_synthetic
        table.add_row(*row)
    console = Console()
    console.print(table)
    if synthetic:
        console.print("The sample corpus is synthetic: its scores say nothing about real text.")
    console.print("Compare runs: make ui     Tag text: echo 'Marie Curie was born in Warsaw.' | seqlab tag")
    return 0


def summary_row(task: str, *, root: Path = Path()) -> tuple[list[str], bool]:
    """A task's row of the table, and whether its corpus is synthetic."""
    metrics, model = root / "metrics" / task, root / "models" / task
    try:
        corpus = json.loads((metrics / "corpus.json").read_text(encoding="utf-8"))
        test = json.loads((metrics / "evaluate.json").read_text(encoding="utf-8"))["test"]
        run_id = json.loads((model / "run.json").read_text(encoding="utf-8"))["run_id"]
    except FileNotFoundError as error:
        return [task, "", "", "", f"not there yet: {error.filename}", ""], False
    span_f1 = f"{test['span_f1']:.4f}" if "span_f1" in test else "-"
    label = f"{corpus['corpus']}{' (synthetic)' if corpus['synthetic'] else ''}"
    where = (model / "export").relative_to(root)
    return [task, label, span_f1, f"{test['token_accuracy']:.4f}", str(where), run_id[:12]], corpus[
        "synthetic"
    ]
