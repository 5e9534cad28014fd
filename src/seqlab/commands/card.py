"""`seqlab card`: print a tagger's model card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seqlab.api import default_task
from seqlab.errors import SeqlabError
from seqlab.serving.export_config import read_export_config
from seqlab.tracking.same_run import warn_of_mixed_runs

EXAMPLES = ("seqlab card", "seqlab card --task pos", "seqlab card --model models/ner/export > card.md")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("card", help="print a tagger's model card (Markdown)")
    parser.add_argument("--task", metavar="TASK", help="default: the only exported task, or ner")
    parser.add_argument(
        "--model", metavar="FOLDER", help="the folder of an export (default: models/TASK/export)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    directory = Path(args.model or f"models/{args.task or default_task()}/export")
    warn_of_mixed_runs(directory)
    read_export_config(directory)
    path = directory / "model_card.md"
    if not path.is_file():
        raise SeqlabError("the export has no model card", where=str(path), remedy="export the model again")
    print(path.read_text(encoding="utf-8"), end="")
    return 0
