"""`seqlab corpora`: list the corpora that are available by name."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from seqlab.corpora.sources import list_corpora

EXAMPLES = ("seqlab corpora", "seqlab corpora en_ewt --licence")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("corpora", help="list the corpora that are available by name")
    parser.add_argument(
        "text", nargs="?", default="", help="list only names and titles that contain this text"
    )
    parser.add_argument("--licence", action="store_true", help="show licences and homepages")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table; the exit status is 1 if nothing matches."""
    everything = list_corpora()
    found = [
        corpus
        for corpus in everything
        if args.text.lower() in f"{corpus.name} {corpus.title}".lower()
        and (args.text or not corpus.name.startswith("ud/"))
    ]
    names = ["name", "tag columns", "title", *(["licence", "homepage"] if args.licence else [])]
    table = Table(*(Column(name, overflow="fold") for name in names))
    for corpus in found:
        columns = ", ".join(corpus.tag_columns) or "as given"
        table.add_row(
            corpus.name, columns, corpus.title, *([corpus.licence, corpus.homepage] if args.licence else [])
        )
    console = Console()
    console.print(table)
    if not args.text:
        console.print(f"and {len(everything) - len(found)} treebanks: `seqlab corpora ud/` lists them")
    return 0 if found else 1
