"""`seqlab check FILE...`: every problem of a corpus's files, without training."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from seqlab.commands.options import file_columns
from seqlab.corpora.own_files import find_span_columns
from seqlab.corpus.check_report import format_report
from seqlab.corpus.checking import check_files
from seqlab.corpus.conll import ConllLayout
from seqlab.corpus.file_formats import is_conllu
from seqlab.corpus.findings import MAX_PER_KIND
from seqlab.errors import SeqlabError

EXAMPLES = (
    "seqlab check train.conll dev.conll test.conll",
    "seqlab check data/own --columns token,ner --separator space --tag-scheme BIOES",
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "check",
        help="validate CoNLL or CoNLL-U files and print their problems",
        description="Columns, separator, comments and tag scheme are those of corpus.files in params.yaml, "
        "unless options set them.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="files, or folders of files")
    parser.add_argument("--columns", help="column names in order, for example token,upos,ner")
    parser.add_argument("--separator", help="separator of the columns: tab, space or whitespace")
    parser.add_argument("--tag-scheme", help="tag scheme of the span columns: IOB1, IOB2 or BIOES")
    parser.add_argument(
        "--span-columns",
        help="columns whose tags are spans (default: ner, and those that contain spans in the first file)",
    )
    parser.add_argument(
        "--max",
        type=int,
        default=MAX_PER_KIND,
        metavar="N",
        help=f"number of errors and warnings to list of each kind (default: {MAX_PER_KIND})",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report. Return 1 if there are errors."""
    columns, separator, comment_prefix, scheme = file_columns(args, columns=("token", "ner"))
    layout = ConllLayout(tuple(columns), separator, comment_prefix)
    given = args.span_columns.split(",") if args.span_columns else _span_columns(args.files[0], layout)
    spans = [column for column in columns if column in given]
    schemes, most = dict.fromkeys(spans, scheme), max(args.max, 1)
    files = check_files(args.files, layout=layout, tag_schemes=schemes, max_per_kind=most)
    print(format_report(files, max_per_kind=most))
    return 1 if any(checked.errors.counts for checked in files) else 0


def _span_columns(name: str, layout: ConllLayout) -> list[str]:
    """Return `ner` and the columns that prepare would read as spans."""
    path = Path(name)
    if path.is_dir():
        path = next((file for file in sorted(path.iterdir()) if file.is_file()), path)
    with suppress(SeqlabError):  # the check reports it
        if not is_conllu(path):
            return ["ner", *find_span_columns(path, layout, name)]
    return ["ner"]
