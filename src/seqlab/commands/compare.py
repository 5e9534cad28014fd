"""`seqlab compare`: what differs between trainings, and whether by more than chance."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = (
    "seqlab compare main HEAD",
    "seqlab compare --task pos quick-lr 0a1b2c3d",
    "seqlab compare --group-seeds softmax-1 softmax-2 crf-1 crf-2 --html crf.html",
    "seqlab compare main HEAD --markdown > comment.md",
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "compare",
        help="compare trainings: parameters, scores with intervals, significance, sentences, cost",
        description="Compares the first result with each of the others on the same sentences. A result is an "
        "MLflow run id (its first characters suffice), the name of a DVC experiment, a Git revision, or a "
        "folder: a checkout, or predictions (dev.conll, test.conll). docs/experiments.md explains the "
        "significance tests.",
    )
    parser.add_argument("first", metavar="RESULT", help="the result with which the others are compared")
    parser.add_argument(
        "others", metavar="RESULT", nargs="+", help="results that are compared with the first"
    )
    parser.add_argument("--task", help="default: the first task of params.yaml")
    parser.add_argument(
        "--group-seeds",
        action="store_true",
        help="treat results that differ only in `seed` as one configuration",
    )
    parser.add_argument(
        "--examples",
        type=int,
        default=3,
        metavar="N",
        help="number of better and of worse sentences to show (default: 3)",
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown, for a pull request")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write an HTML page instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print or write the report."""
    from rich.console import Console

    from seqlab.atomic import replaced_file
    from seqlab.params_file import load_params
    from seqlab.pipeline.comparing import compare_results
    from seqlab.pipeline.report_blocks import WIDTH, print_blocks, to_html, to_markdown
    from seqlab.pipeline.stored_results import read_result

    task = args.task or load_params().tasks[0]
    results = [read_result(name, task=task, root=Path.cwd()) for name in (args.first, *args.others)]
    blocks = compare_results(results, task=task, group_seeds=args.group_seeds, examples=max(0, args.examples))
    if args.html:
        with replaced_file(args.html) as made:
            made.write_text(to_html(blocks), encoding="utf-8")
        print(args.html)
    elif args.markdown:
        print(to_markdown(blocks), end="")
    else:
        console = Console()
        console.width = min(console.width, WIDTH)
        print_blocks(blocks, console)
    return 0
