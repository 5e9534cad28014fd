"""`seqlab tag`: tag raw text, one sentence per line, or the files of a folder, with an exported model."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.api import find_export, load
from seqlab.commands.options import add_model_options, warn_of_mixed_model
from seqlab.cores import available_cores
from seqlab.errors import SeqlabError
from seqlab.serving.tagging.stream import tag_stream
from seqlab.serving.tagging.tag_formats import FORMATS, tag_format
from seqlab.serving.tagging.text_lines import TextLine, read_text_lines

if TYPE_CHECKING:
    from seqlab.serving.folders.file_formats import InputFile

STDIN = "-"
"""The name of standard input among the files."""

TAG_SCHEMES = ("IOB1", "IOB2", "BIOES", "BILOU")

EXAMPLES = (
    "echo 'Marie Curie was born in Warsaw.' | seqlab tag",
    "seqlab tag --task pos --format conll article.txt > article.conll",
    "seqlab tag --model models:/seqlab-ner@champion --format json a.txt b.txt -",
    "seqlab tag texts --output tagged",
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "tag",
        help="tag raw text, one sentence per line",
        description="Tags UTF-8 text from files or standard input, one sentence per line, in order. "
        "Text that is already tokenised is not changed by the tokeniser (docs/serving.md).",
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="text files, folders of text files, or `-` for standard input (default: standard input)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="tag all files of a folder, and write one file for each to this folder",
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="tag a folder on this Ray cluster: HOST:PORT, or auto"
    )
    add_model_options(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="output format (default: text)")
    parser.add_argument("--tokenized", action="store_true", help="split the input at blanks only")
    parser.add_argument("--tag-scheme", choices=TAG_SCHEMES, help="tag scheme of the output (default: IOB2)")
    parser.add_argument(
        "--threads", type=_at_least_one, metavar="N", help="number of cores to use (default: all)"
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="use 8-bit weights: faster, but a few tags differ",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Tag all lines. Return 1 if a line could not be tagged."""
    warn_of_mixed_model(args)
    if args.output or args.ray:
        return _tag_folder(args)
    for file in args.files:
        if file != STDIN and not Path(file).exists():
            raise SeqlabError(
                "no such file", where=file, remedy="name a text file or a folder, or `-` for standard input"
            )
        if Path(file).is_dir():
            _text_files(Path(file))  # errors before anything is written
    tagger = load(
        args.model, task=args.task, threads=args.threads, int8=args.int8, tag_scheme=args.tag_scheme
    )
    is_terminal = sys.stdout.isatty()
    colours = args.format == "text" and is_terminal and "NO_COLOR" not in os.environ
    num_texts, num_invalid = tag_stream(
        tagger.form,
        _lines(args.files),
        tag_format=tag_format(args.format, colours=colours, title=f"seqlab {tagger.task}"),
        out=sys.stdout,
        tokenized=args.tokenized,
        interactive=args.files in ([], [STDIN]) and sys.stdin.isatty(),
        show_progress=_shows_progress() and not is_terminal,
    )
    if not num_texts and not num_invalid:
        raise SeqlabError(
            "there is no text to tag",
            where=", ".join(args.files) or "standard input",
            expected="one sentence per line",
            received="only blanks",
            remedy="for example: echo 'Marie Curie was born in Warsaw.' | seqlab tag",
        )
    return 1 if num_invalid else 0


def _tag_folder(args: argparse.Namespace) -> int:
    """Tag the files of a folder. Return 1 if a row could not be tagged."""
    if len(args.files) != 1 or not Path(args.files[0]).is_dir() or not args.output:
        raise SeqlabError(
            "a folder to tag and a folder for the result belong together",
            where=" ".join(args.files) or "standard input",
            expected="one folder, and --output",
            remedy="for example: seqlab tag texts --output tagged",
        )
    from seqlab.serving.folders.block_tagger import read_model
    from seqlab.serving.folders.folder_tagging import tag_folder
    from seqlab.serving.folders.workers import local_workers, ray_workers

    directory = find_export(args.model, task=args.task)
    options = {"int8": args.int8, "tag_scheme": args.tag_scheme}
    load(directory, task=args.task, **options)  # errors before anything is written
    model = read_model(directory, format=args.format, tokenized=args.tokenized, **options)
    if args.ray:
        workers = ray_workers(model, address=args.ray)
    else:
        workers = local_workers(model, processes=args.threads or available_cores())
    totals = tag_folder(
        Path(args.files[0]), args.output, model=model, workers=workers, show_progress=_shows_progress()
    )
    return 1 if totals.invalid else 0


def _shows_progress() -> bool:
    """Return whether stderr is a terminal and `--quiet` was not given."""
    return sys.stderr.isatty() and logging.getLogger("seqlab").isEnabledFor(logging.WARNING)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"at least 1 is expected, received {number}")
    return number


def _lines(names: list[str]) -> Iterator[TextLine]:
    """Read files, the text files of folders, and standard input (`-`, or no name at all)."""
    for name in names or [STDIN]:
        if name == STDIN:
            yield from read_text_lines(sys.stdin.buffer, name="stdin", shown_name=STDIN)
        elif Path(name).is_dir():
            from seqlab.serving.folders.file_formats import damage_reported, open_lines

            for file in _text_files(Path(name)):
                with damage_reported(file), open_lines(file) as lines:
                    yield from read_text_lines(lines, name=str(file.path))
        else:
            with Path(name).open("rb") as lines:
                yield from read_text_lines(lines, name=name)


def _text_files(folder: Path) -> list[InputFile]:
    from seqlab.serving.folders.file_formats import find_input_files

    files = find_input_files(folder)
    for file in files:
        if file.kind != "text":
            raise SeqlabError(
                "only lines of text can be tagged to standard output",
                where=str(file.path),
                expected="files named .txt, .txt.gz or .txt.zst",
                remedy=f"tag the folder into another one: seqlab tag {folder} --output tagged",
            )
    return files
