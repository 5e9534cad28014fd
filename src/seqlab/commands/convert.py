"""`seqlab convert`: other formats into CoNLL, and CoNLL or predictions into those of annotation tools."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seqlab.conversion.converting import SOURCES, Conversion, convert_files, find_sources
from seqlab.conversion.summary import format_conversions, format_parameters
from seqlab.conversion.writers import SUFFIXES
from seqlab.corpus.check_report import format_report
from seqlab.corpus.checking import check_files
from seqlab.corpus.conll import ConllLayout
from seqlab.corpus.findings import MAX_PER_KIND

EXAMPLES = (
    "seqlab convert annotated.jsonl --output annotated.conll",
    "seqlab convert brat --output corpus --tag-scheme BIOES",
    "seqlab convert data/predictions/ner/test.conll --output predicted.jsonl",
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "convert",
        help="convert annotated data into CoNLL, or CoNLL into JSON",
        description="Reads JSON and JSON Lines (doccano, Prodigy, Label Studio, spaCy), CSV, brat, .spacy, "
        "Hugging Face datasets on disk, Parquet, CoNLL and predictions. docs/data.md has an example of each.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files or folders")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="PATH",
        help="the output file; a folder if there are several input files",
    )
    parser.add_argument(
        "--from", dest="source", choices=SOURCES, help="input format (default: by the file name)"
    )
    parser.add_argument(
        "--to",
        choices=tuple(SUFFIXES),
        help="output format (default: conll; jsonl for CoNLL and predictions)",
    )
    parser.add_argument("--column", help="name of the tag column (default: as in the data, or ner)")
    parser.add_argument("--tag-scheme", default="IOB2", help="tag scheme of the output (default: IOB2)")
    parser.add_argument(
        "--sentences",
        choices=("text", "lines"),
        help="one sentence per text or per line (default: text; lines for brat)",
    )
    parser.add_argument(
        "--misaligned",
        choices=("expand", "drop"),
        default="expand",
        help="spans that begin or end inside a token: expand to whole tokens, or drop (default: expand)",
    )
    parser.add_argument(
        "--columns", default="token,ner", help="columns of CoNLL input, in order (default: token,ner)"
    )
    parser.add_argument(
        "--separator", default="tab", help="separator of CoNLL input: tab, space or whitespace (default: tab)"
    )
    parser.add_argument(
        "--max",
        type=int,
        default=MAX_PER_KIND,
        metavar="N",
        help="number of errors and warnings to list of each kind",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Convert, report and check. Return 1 if something could not be read or the result has errors."""
    most = max(args.max, 1)
    conversions = convert_files(
        find_sources(args.files, source_format=args.source),
        args.output,
        target=args.to,
        column=args.column,
        tag_scheme=args.tag_scheme,
        sentences=args.sentences,
        misaligned=args.misaligned,
        layout=ConllLayout(tuple(args.columns.split(",")), args.separator),
        max_per_kind=most,
    )
    print(format_conversions(conversions, max_per_kind=most))
    failed = any(conversion.errors.counts for conversion in conversions)
    written = [conversion for conversion in conversions if conversion.output.suffix == ".conll"]
    return int(_check(written, args.tag_scheme, most) or failed) if written else int(failed)


def _check(written: list[Conversion], tag_scheme: str, max_per_kind: int) -> bool:
    """Print the report of `seqlab check` and the parameters; return whether there are errors."""
    first = written[0]
    layout = ConllLayout(("token", *first.columns))
    schemes = dict.fromkeys(first.span_columns, tag_scheme)
    outputs = [conversion.output for conversion in written]
    files = check_files(outputs, layout=layout, tag_schemes=schemes, max_per_kind=max_per_kind)
    found = {scheme for checked in files for scheme in checked.schemes.values()} - {tag_scheme}
    if len(found) == 1:  # tags of tokens are in the scheme of their source
        (tag_scheme,) = found
        schemes = dict.fromkeys(schemes, tag_scheme)
        files = check_files(outputs, layout=layout, tag_schemes=schemes, max_per_kind=max_per_kind)
    print(f"\n{format_report(files, max_per_kind=max_per_kind)}")
    print(f"\nIn params.yaml:\n\n{format_parameters(written, tag_scheme=tag_scheme)}")
    return any(checked.errors.counts for checked in files)
