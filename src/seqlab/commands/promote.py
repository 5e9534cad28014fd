"""`seqlab promote`: make a registered tagger the champion unless it is worse on test."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seqlab.tracking.registry import CANDIDATE, promote

EXAMPLES = ("seqlab promote --task ner", "seqlab promote --task ner --version 3 --force")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "promote",
        help="make a registered tagger the champion unless it is worse on test",
        description="The export stage registers each tagger as seqlab-TASK with the alias `candidate`. This "
        "command moves the alias `champion` to it, for `seqlab tag --model models:/seqlab-TASK@champion`.",
    )
    parser.add_argument("--task", choices=("ner", "pos"), default="ner", help="default: ner")
    parser.add_argument("--version", default=CANDIDATE, help="an alias or a number (default: candidate)")
    parser.add_argument(
        "--force", action="store_true", help="promote even if it is worse or cannot be compared"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    done = promote(Path.cwd(), name=f"seqlab-{args.task}", alias=args.version, force=args.force)
    before = ""
    if done.champion is not None:
        score = "not tested" if done.champion_score is None else f"{done.champion_score:.4f}"
        before = f"; it was version {done.champion} ({score})"
    print(f"{done.name}: version {done.version} is the champion ({done.score_name} {done.score:.4f}){before}")
    return 0
