"""`seqlab tag`: tag raw text, one sentence per line, or the files of a folder, with an exported model."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.serving.tagging.exported_tagger import load_exported_tagger
from seqlab.serving.tagging.stream import tag_stream
from seqlab.serving.tagging.tag_formats import FORMATS, tag_format
from seqlab.serving.tagging.text_lines import TextLine, read_text_lines
from seqlab.tracking.same_run import warn_of_mixed_runs


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "tag",
        help="tag raw text, one sentence per line",
        description="Tags UTF-8 text from files or standard input, one sentence per line, in order. "
        "docs/serving.md describes the tokeniser; it does not change text that is already tokenised.",
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="text files, or one folder (default: standard input)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where to write the tagged files of a folder"
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="tag a folder on a Ray cluster: its HOST:PORT, or auto"
    )
    parser.add_argument("--task", metavar="TASK", help="default: ner, or the task of --model")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="the folder of an export, models:/NAME@ALIAS, or an MLflow run id (default: models/TASK/export)",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument(
        "--tokenized", action="store_true", help="tokens are separated by blanks; do not tokenise"
    )
    parser.add_argument(
        "--threads", type=_at_least_one, metavar="N", help="cores to use (default: all that are available)"
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="weights of 8 bits: faster, but a few tags differ",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Tag all lines. Return 1 if a line could not be tagged."""
    warn_of_mixed_runs(Path(args.model or f"models/{args.task or 'ner'}"))
    if args.output or args.ray or any(Path(file).is_dir() for file in args.files):
        return _tag_folder(args)
    for file in args.files:
        if not Path(file).is_file():
            raise SeqlabError("no such file", where=file, remedy="name a text file, or none for stdin")
    tagger = load_exported_tagger(
        _model_directory(args), task=args.task, threads=args.threads or _cores(), int8=args.int8
    )
    is_terminal = sys.stdout.isatty()
    colours = args.format == "text" and is_terminal and "NO_COLOR" not in os.environ
    try:
        num_texts, num_invalid = tag_stream(
            tagger,
            _lines(args.files),
            tag_format=tag_format(args.format, colours=colours, title=f"seqlab {tagger.config['task']}"),
            out=sys.stdout,
            tokenized=args.tokenized,
            interactive=not args.files and sys.stdin.isatty(),
            show_progress=sys.stderr.isatty() and not is_terminal,
        )
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit must not fail
        return 0
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

    directory = _model_directory(args)
    load_exported_tagger(directory, task=args.task, int8=args.int8)  # errors before anything is written
    model = read_model(directory, format=args.format, tokenized=args.tokenized, int8=args.int8)
    if args.ray:
        workers = ray_workers(model, address=args.ray)
    else:
        workers = local_workers(model, processes=args.threads or _cores())
    folder, shown = Path(args.files[0]), sys.stderr.isatty()
    totals = tag_folder(folder, args.output, model=model, workers=workers, show_progress=shown)
    return 1 if totals.invalid else 0


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"at least 1 is expected, received {number}")
    return number


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lines(names: list[str]) -> Iterator[TextLine]:
    if not names:
        yield from read_text_lines(sys.stdin.buffer, name="stdin")
    for name in names:
        with Path(name).open("rb") as file:
            yield from read_text_lines(file, name=name)


def _model_directory(args: argparse.Namespace) -> Path:
    model = args.model
    if model is None:
        return Path("models") / (args.task or "ner") / "export"
    path = Path(model)
    if path.is_dir():
        return path / "export" if (path / "export" / "config.json").is_file() else path
    if not model.startswith("models:/") and (os.sep in model or "." in model):
        return path
    from seqlab.tracking.registry import fetch_export

    return fetch_export(Path.cwd(), model)
