"""`seqlab evaluate`: score a tagger, or predictions, on any file with gold tags."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from seqlab.api import Tagger, load, read_corpus, score
from seqlab.commands.options import add_model_options, file_columns, warn_of_mixed_model
from seqlab.corpus.findings import count_of
from seqlab.corpus.sentence import Sentence
from seqlab.errors import SeqlabError
from seqlab.params_file import load_params

EXAMPLES = (
    "seqlab evaluate data/example/test.conll --columns token,upos,xpos,ner",
    "seqlab evaluate --model models:/seqlab-ner@champion new.conll --columns token,ner --tag-scheme BIOES",
    "seqlab evaluate --predictions data/predictions/ner/test.conll",
    "seqlab evaluate --predictions theirs.txt --columns token,_,gold,predicted --format json",
)

_PREDICTIONS = ("token", "gold", "predicted")
_SCORES = ("span_f1", "span_precision", "span_recall", "token_accuracy", "sentence_accuracy")
_TOGETHER = 2048


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="score a tagger, or predictions, on any file with gold tags",
        description="Tags the tokens of CoNLL or CoNLL-U files and compares the tags with the gold tags. "
        "With --predictions, no model is loaded. The scores are computed as in the evaluate stage.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="files with gold tags, scored together")
    parser.add_argument(
        "--predictions", action="store_true", help="the files have the columns token, gold and predicted"
    )
    add_model_options(parser)
    parser.add_argument(
        "--columns",
        help="column names in order, for example token,_,ner (default: as in corpus.files in params.yaml)",
    )
    parser.add_argument(
        "--column", help="column of the gold tags (default: the column that the tagger learned)"
    )
    parser.add_argument("--separator", help="separator of the columns: tab, space or whitespace")
    parser.add_argument(
        "--tag-scheme", help="tag scheme of the gold spans (default: as in corpus.files, or IOB2)"
    )
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="output format (default: table)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the scores."""
    seed = load_params().seed if Path("params.yaml").exists() else 0
    gold, predicted, spans = _read_predictions(args) if args.predictions else _tag(args)
    scores = score(gold, predicted, spans=spans, seed=seed)
    if args.format == "json":
        print(json.dumps(scores, indent=2, ensure_ascii=False))
        return 0
    console = Console(soft_wrap=True)
    console.print(f"{count_of(scores['sentences'], 'sentence')}, {count_of(scores['tokens'], 'token')}")
    console.print(_score_table(scores))
    console.print(_class_table(scores))
    return 0


def _tag(args: argparse.Namespace) -> tuple[list[Sentence], list[Sentence], bool]:
    """Return the gold sentences, the same ones with predicted tags, and whether tags encode spans."""
    warn_of_mixed_model(args)
    tagger = load(args.model, task=args.task)
    column = args.column or tagger.config["corpus"]["column"]
    layout = file_columns(args, columns=("token", column))
    gold = [
        sentence
        for file in args.files
        for sentence in read_corpus(
            file,
            columns=layout.columns,
            column=column,
            separator=layout.separator,
            comment_prefix=layout.comment_prefix,
            tag_scheme=layout.tag_scheme if tagger.spans else None,
        )
    ]
    return gold, list(_predicted(tagger, gold)), tagger.spans


def _predicted(tagger: Tagger, gold: list[Sentence]) -> Iterator[Sentence]:
    for first in range(0, len(gold), _TOGETHER):
        group = gold[first : first + _TOGETHER]
        for sentence, tagged in zip(group, tagger.tag([s.tokens for s in group]), strict=True):
            yield Sentence(sentence.tokens, tuple(tagged.tags))


def _read_predictions(args: argparse.Namespace) -> tuple[list[Sentence], list[Sentence], None]:
    if args.model or args.task or args.column or args.tag_scheme:
        raise SeqlabError(
            "predictions are scored without a tagger",
            where="--predictions",
            expected="no --model, --task, --column and --tag-scheme",
            remedy="leave them out; tags may be in any scheme",
        )
    columns = args.columns.split(",") if args.columns else list(_PREDICTIONS)
    gold, predicted = (
        [
            sentence
            for file in args.files
            for sentence in read_corpus(
                file, columns=columns, column=column, separator=args.separator or "whitespace"
            )
        ]
        for column in _PREDICTIONS[1:]
    )
    return gold, predicted, None


def _score_table(scores: dict[str, Any]) -> Table:
    table = Table("score", "value", "95 % interval")
    for name in _SCORES:
        if name in scores:
            low, high = scores.get(f"{name}_interval", (None, None))
            interval = "" if low is None else f"{low:.4f} to {high:.4f}"
            table.add_row(name.replace("_", " "), f"{scores[name]:.4f}", interval)
    return table


def _class_table(scores: dict[str, Any]) -> Table:
    """Return the scores by entity type, or by tag if tags do not encode spans."""
    prefix, classes = ("span_", "per_type") if "per_type" in scores else ("", "per_tag")
    table = Table("type" if prefix else "tag", "precision", "recall", "F1", "gold", "predicted")
    for name, row in scores[classes].items():
        values = (f"{row[f'{prefix}{measure}']:.4f}" for measure in ("precision", "recall", "f1"))
        table.add_row(name, *values, f"{row['gold']:,}", f"{row['predicted']:,}")
    return table
