"""Score a trained tagger on dev and test, as the field does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from seqlab.atomic import replaced_directory
from seqlab.batching.encoding import read_encoded_split
from seqlab.evaluation.bootstrap import (
    bootstrap_interval,
    sentence_span_counts,
    sentence_token_counts,
    span_f1,
    token_accuracy,
)
from seqlab.evaluation.confusion import confusion_counts, confusion_rows, most_confused
from seqlab.evaluation.predictions import TaggedSentence, spell_as_iob2, write_predictions
from seqlab.evaluation.scores import score_sentences
from seqlab.evaluation.span_errors import span_error_counts, span_recall_by_novelty, span_surfaces
from seqlab.evaluation.tables import span_score_rows, tag_score_rows
from seqlab.modeling.tagger import Tagger
from seqlab.params import TaskParams
from seqlab.pipeline.training import evaluation_plan, load_prepared, predict_split

EVALUATED = ("dev", "test")


@dataclass(frozen=True)
class EvaluatedTask:
    """A tagger's scores and what the plots are drawn from.

    Args:
        scores: by split, as `metrics/<task>/evaluate.json` holds them.
        confusion: rows of test's confusion matrix.
        bars: rows of test's scores by entity type, or by tag where tags are not spans.
    """

    scores: dict[str, dict[str, Any]]
    confusion: list[dict[str, Any]]
    bars: list[dict[str, Any]]


def evaluate_task(
    prepared: Path,
    model: Path,
    predictions: Path,
    *,
    task: TaskParams,
    seed: int,
    say: Callable[[str], None] = print,
) -> EvaluatedTask:
    """Decode dev and test, score them, and write the predictions in CoNLL form.

    Args:
        prepared: the folder that prepare wrote.
        model: the trained `model.keras`.
        predictions: folder to write, `dev.conll` and `test.conll`; replaced when all went well. Spans are
            spelt as IOB2 in it, whatever scheme the model learned.
        task: the task's section of the parameters.
        seed: of the bootstrap.
        say: told about progress.

    Raises:
        ValueError: the tokens scored are not the corpus's.
    """
    tagger: Tagger = keras.saving.load_model(model)
    _, tags = load_prepared(prepared)
    corpus = json.loads((prepared / "corpus.json").read_text(encoding="utf-8"))
    spans = task.tag_scheme is not None
    train = read_encoded_split(prepared / "train", tags=tags)
    train_tokens = set(train.types)
    train_spans = span_surfaces(train.sentences()) if spans else set()
    scores: dict[str, dict[str, Any]] = {}
    tagged: list[TaggedSentence] = []
    with replaced_directory(predictions) as made:
        for name in EVALUATED:
            say(f"tagging and scoring {name}")
            split = read_encoded_split(prepared / name, tags=tags)
            windows, buckets = evaluation_plan(split, task.training)
            rows: Iterable[Any] = predict_split(tagger, split, windows=windows, buckets=buckets)
            tagged = list(spell_as_iob2(rows) if spans else map(TaggedSentence._make, rows))
            scores[name] = score_sentences(tagged, spans=spans, train_tokens=train_tokens)
            expected = corpus["splits"][name]["tokens"]
            if scores[name]["tokens"] != expected:
                raise ValueError(f"{scores[name]['tokens']} tokens of {name} were scored, not {expected}")
            scores[name] |= _intervals(tagged, spans=spans, seed=seed)
            if spans:
                scores[name]["span_errors"] = span_error_counts(tagged)
                scores[name]["span_recall_by_novelty"] = span_recall_by_novelty(tagged, train_spans)
            scores[name]["most_confused"] = most_confused(tagged, 10)
            write_predictions(made / f"{name}.conll", tagged)
    bars = span_score_rows(scores["test"]) if spans else tag_score_rows(scores["test"])
    return EvaluatedTask(scores=scores, confusion=confusion_rows(confusion_counts(tagged)), bars=bars)


def _intervals(tagged: list[TaggedSentence], *, spans: bool, seed: int) -> dict[str, list[float]]:
    """95 % bootstrap intervals of the main scores, `[low, high]`."""
    found = bootstrap_interval(sentence_token_counts(tagged), token_accuracy, seed=seed)
    intervals = {"token_accuracy_interval": [found.low, found.high]}
    if spans:
        found = bootstrap_interval(sentence_span_counts(tagged), span_f1, seed=seed)
        intervals["span_f1_interval"] = [found.low, found.high]
    return intervals
