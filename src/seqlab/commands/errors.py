"""`seqlab errors [TASK]`: the page of a run's errors, with another run beside it."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from seqlab.params_file import load_params
from seqlab.pipeline.error_pages import write_errors_of

EXAMPLES = (
    "seqlab errors",
    "seqlab errors ner --against main",
    "seqlab errors pos --against /data/baseline/predictions/pos --output changed.html",
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "errors",
        help="write an HTML page of the errors on dev and test, and of the differences from another run",
        description="`dvc repro` writes the error page of each run to metrics/TASK/errors.html. This command "
        "also writes the page of other predictions, or compares two runs.",
    )
    parser.add_argument("task", nargs="?", metavar="TASK", help="default: the first task of params.yaml")
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="PATH",
        help="folder or .conll file (default: data/predictions/TASK)",
    )
    parser.add_argument(
        "--against",
        metavar="RESULT",
        help="another run on the same sentences: a folder, a .conll file, or a result as in `seqlab compare`",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", default=Path("errors.html"), help="default: errors.html"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    params = load_params()
    task = args.task or params.tasks[0]
    predictions = args.predictions or Path("data/predictions") / task
    with ExitStack() as stack:
        against = None
        if args.against:
            from seqlab.pipeline.stored_results import predictions_of

            against = stack.enter_context(predictions_of(args.against, task=task, root=Path.cwd()))
        write_errors_of(
            predictions,
            args.output,
            spans=params.task(task).tag_scheme is not None,
            prepared=Path("data/prepared") / task,
            against=against,
            title=f"{task}, {predictions}" + (f" against {args.against}" if args.against else ""),
        )
    print(args.output)
    return 0
