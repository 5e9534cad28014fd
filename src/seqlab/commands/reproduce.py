"""`seqlab reproduce`: train a run again from what it recorded, and compare."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = (
    "seqlab reproduce 3f0c9a7d",
    "seqlab reproduce crf-1 --task ner",
    "seqlab reproduce models:/seqlab-ner@champion",
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "reproduce",
        help="train a run again from its commit, changes, parameters and data, and compare the results",
        description="Checks out the run's commit in a separate Git worktree, applies the uncommitted changes "
        "that the run recorded, and takes the data from DVC's cache or remote, or makes it again. Then it "
        "trains and evaluates with that code in this environment, and compares the results. The training is "
        "logged as a run with the tag `reproduces`. On the same CPU, with the same versions and number of "
        "threads, weights and scores must be equal; otherwise scores may differ by --tolerance. The exit "
        "status is 1 if they differ more.",
    )
    parser.add_argument(
        "reference",
        metavar="RUN",
        help="a run id or its first characters, the name of a DVC experiment, or models:/NAME/VERSION",
    )
    parser.add_argument("--task", help="the task, if the experiment has runs of several tasks")
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="FOLDER",
        help="folder of the worktree (default: .seqlab/reproduce/ID, which is replaced if it exists)",
    )
    parser.add_argument(
        "--tolerance", type=float, default=0.02, metavar="X",
        help="allowed difference of scores (0 to 1) if equal weights are not promised (default: 0.02)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what is equal and what differs."""
    from rich.console import Console

    from seqlab.pipeline.report_blocks import WIDTH, print_blocks
    from seqlab.pipeline.reproducing import reproduce_run

    blocks, is_reproduced = reproduce_run(
        args.reference, root=Path.cwd(), task=args.task, folder=args.folder, tolerance=args.tolerance
    )
    console = Console()
    console.width = min(console.width, WIDTH)
    print_blocks(blocks, console)
    return 0 if is_reproduced else 1
