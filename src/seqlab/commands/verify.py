"""`seqlab verify`: whether a training can be repeated bit for bit on this machine."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from seqlab.params_file import load_params
from seqlab.pipeline.verifying import train_twice

EXAMPLES = ("seqlab verify", "seqlab verify pos --full")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "verify", help="train each task twice in new processes, and compare the weights bit for bit"
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="default: the tasks of params.yaml")
    parser.add_argument("--full", action="store_true", help="train all epochs instead of one")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a row for each task; the exit status is 1 if two trainings differ."""
    params = load_params()
    table = Table("task", "epochs", "arrays", "different arrays", "history")
    equal = True
    for task in args.tasks or params.tasks:
        params.task(task)
        first, second = train_twice(task, epochs=None if args.full else 1)
        different = [name for name, digest in first["weights"].items() if second["weights"][name] != digest]
        same_history = first["history"] == second["history"]
        equal = equal and same_history and not different
        table.add_row(
            task,
            str(len(first["history"])),
            str(len(first["weights"])),
            ", ".join(different[:3]) + (f" and {len(different) - 3} more" if len(different) > 3 else "")
            or "none",
            "equal" if same_history else "different",
        )
    Console(soft_wrap=True).print(table)
    return 0 if equal else 1
