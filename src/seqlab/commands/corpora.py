"""`seqlab corpora`: the corpora that have a name."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from seqlab.corpora.public import list_corpora


def add_parser(subparsers: Any) -> None:
    """Add the command to `seqlab`'s parser."""
    parser = subparsers.add_parser("corpora", help="list the corpora that corpus.name can name")
    parser.add_argument("text", nargs="?", default="", help="only names and titles that hold this")
    parser.add_argument("--licence", action="store_true", help="show licences and homepages too")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table; 1 where nothing matches."""
    everything = list_corpora()
    found = [
        corpus
        for corpus in everything
        if args.text.lower() in f"{corpus.name} {corpus.title}".lower()
        and (args.text or not corpus.name.startswith("ud/"))
    ]
    table = Table("name", "tag columns", "title", *(["licence", "homepage"] if args.licence else []))
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
