"""`seqlab tag [FILE...]`: tag raw text, one sentence a line, with an exported model."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from seqlab.errors import SeqlabError
from seqlab.serving.tagging.exported_tagger import ExportedTagger, TaggedText
from seqlab.serving.tagging.tag_formats import FORMATS, TagFormat, tag_format
from seqlab.serving.tagging.text_lines import TextLine, batches, read_text_lines

_LINES_TOGETHER = 512
_BATCH_SIZE = 64


def add_parser(subparsers: Any) -> None:
    """Add the command to `seqlab`'s parser."""
    parser = subparsers.add_parser(
        "tag",
        help="tag raw text, one sentence a line",
        description="Reads files or standard input, UTF-8, one sentence a line, and keeps the order. Text is "
        "tokenised as docs/serving.md says; text that is tokenised so already stays as it is.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: standard input")
    parser.add_argument("--task", choices=("ner", "pos"), help="default: ner, or the task of --model")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="an export's folder, models:/NAME@ALIAS, or an MLflow run id (default: models/TASK/export)",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument(
        "--tokenized", action="store_true", help="tokens are separated by blanks; do not tokenise"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Tag everything; 1 where a line could not be tagged."""
    for file in args.files:
        if not Path(file).is_file():
            raise SeqlabError(
                "there is no such file", where=file, remedy="name a text file, or none for stdin"
            )
    tagger = ExportedTagger(_model_directory(args), task=args.task)
    colours = args.format == "text" and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    chosen = tag_format(args.format, colours=colours, title=f"seqlab {tagger.config['task']}")
    try:
        return _tag_stream(args, tagger, chosen, sys.stdout)
    except BrokenPipeError:
        # The reader has seen enough; nothing more can be flushed to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _tag_stream(args: argparse.Namespace, tagger: ExportedTagger, chosen: TagFormat, out: TextIO) -> int:
    # A person at a terminal waits for an answer to each line.
    together = 1 if not args.files and sys.stdin.isatty() else _LINES_TOGETHER
    progress = _Progress(shown=sys.stderr.isatty() and not out.isatty())
    problems = texts = 0
    out.write(chosen.head)
    for lines in batches(_lines(args.files), size=together):
        tagged = _tag_lines(tagger, lines, tokenized=args.tokenized)
        for line, one in zip(lines, tagged, strict=True):
            texts += bool(line.text.strip())
            if line.problem is not None:
                progress.clear()
                print(f"error: {line.problem}", file=sys.stderr)
                problems += 1
                out.write(chosen.problem(line.number, line.problem))
            else:
                out.write(chosen.line(line.number, one))
        out.flush()
        progress.advance(len(lines), sum(len(one.tokens) for one in tagged))
    out.write(chosen.tail)
    out.flush()
    progress.clear()
    if not texts and not problems:
        raise SeqlabError(
            "there is no text to tag",
            where=", ".join(args.files) or "standard input",
            expected="one sentence a line",
            received="nothing but blanks",
            remedy="for instance: echo 'Marie Curie was born in Warsaw.' | seqlab tag",
        )
    return 1 if problems else 0


def _lines(names: list[str]) -> Iterator[TextLine]:
    if not names:
        yield from read_text_lines(sys.stdin.buffer, name="stdin")
    for name in names:
        with Path(name).open("rb") as file:
            yield from read_text_lines(file, name=name)


def _tag_lines(tagger: ExportedTagger, lines: list[TextLine], *, tokenized: bool) -> list[TaggedText]:
    """Tag lines in batches of like length, which need less padding, and put them in order again."""
    order = sorted(range(len(lines)), key=lambda i: len(lines[i].text))
    tagged: list[TaggedText] = [TaggedText("", [], None)] * len(lines)
    for first in range(0, len(order), _BATCH_SIZE):
        part = order[first : first + _BATCH_SIZE]
        results = tagger.tag([lines[i].text for i in part], tokenized=tokenized)
        for i, result in zip(part, results, strict=True):
            tagged[i] = result
    return tagged


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


class _Progress:
    """Lines and speed on standard error, where a person watches."""

    def __init__(self, *, shown: bool) -> None:
        self._shown, self._lines, self._tokens = shown, 0, 0
        self._began = self._said = time.monotonic()

    def advance(self, lines: int, tokens: int) -> None:
        self._lines += lines
        self._tokens += tokens
        now = time.monotonic()
        if self._shown and now - self._said > 0.5:
            self._said = now
            speed = self._tokens / (now - self._began)
            print(f"\r{self._lines:,} lines, {speed:,.0f} tokens/s ", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
