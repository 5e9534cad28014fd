"""`seqlab check FILE...`: every problem of a corpus's files, without training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seqlab.corpus.checking import run_check
from seqlab.params import load_params


def add_parser(subparsers: Any) -> None:
    """Add the command to `seqlab`'s parser."""
    parser = subparsers.add_parser(
        "check",
        help="validate CoNLL or CoNLL-U files and print every problem",
        description="Columns, separator and comments are read from corpus.files in params.yaml unless given.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="files or folders, a split each")
    parser.add_argument("--columns", help="names in order, separated by commas, as token,upos,ner")
    parser.add_argument("--separator", help="what stands between columns: tab, space or whitespace")
    parser.add_argument("--tag-scheme", help="of the span columns: IOB1, IOB2 or BIOES")
    parser.add_argument("--span-columns", default="ner", help="columns that hold spans (default: ner)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 where there are errors."""
    defaults = load_params().corpus.files if Path("params.yaml").exists() else None
    columns = (
        args.columns.split(",") if args.columns else (defaults.columns if defaults else ["token", "ner"])
    )
    named = {"tab": "\t", "space": " "}
    separator = named.get(args.separator, args.separator) or (defaults.separator if defaults else "\t")
    scheme = args.tag_scheme or (defaults.tag_scheme if defaults else "IOB2")
    spans = [column for column in args.span_columns.split(",") if column in columns]
    return run_check(
        args.files,
        columns=columns,
        separator=separator,
        comment_prefix=defaults.comment_prefix if defaults else "# ",
        tag_schemes=dict.fromkeys(spans, scheme),
    )
