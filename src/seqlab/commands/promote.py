"""`seqlab promote`: make a registered tagger the champion unless it is worse on dev."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seqlab.api import default_task
from seqlab.tracking.registry import CANDIDATE, promote
from seqlab.tracking.same_run import warn_of_mixed_runs
from seqlab.tracking.store import experiment_name

EXAMPLES = ("seqlab promote --task ner", "seqlab promote --task ner --version 3 --force")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "promote",
        help="make a registered tagger the champion unless it is worse on dev",
        description="The export stage registers each tagger as seqlab-TASK; the best on dev has the alias "
        "`candidate`. This command moves the alias `champion` to it, for "
        "`seqlab tag --model models:/seqlab-TASK@champion`. Scores on test are shown, but do not count.",
    )
    parser.add_argument("--task", metavar="TASK", help="default: the only exported task, or ner")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--version", default=CANDIDATE, help="alias or number of the version (default: candidate)"
    )
    which.add_argument(
        "--best",
        action="store_true",
        help="the version with the best dev score, of those with the newest version's corpus",
    )
    parser.add_argument(
        "--force", action="store_true", help="promote even if it is worse or cannot be compared"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    task = args.task or default_task()
    warn_of_mixed_runs(Path("models") / task)
    done = promote(
        Path.cwd(), name=experiment_name(task), alias=args.version, best=args.best, force=args.force
    )
    print(f"{done.name}: the champion is {done.version.describe(done.score)}")
    if done.previous is not None:
        print(f"before: {done.previous.describe(done.score)}")
    for note in done.notes:
        print(f"note: {note}")
    return 0
