"""Scoring a trained tagger on dev and test."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from seqlab.atomic import replaced_directory
from seqlab.batching.encoding import read_encoded_split
from seqlab.evaluation.error_analysis import span_surfaces
from seqlab.evaluation.error_page import split_errors
from seqlab.evaluation.predictions import TaggedSentence, write_predictions
from seqlab.evaluation.report import report_scores
from seqlab.evaluation.tables import confusion_rows, score_rows
from seqlab.modeling.tagger import Tagger
from seqlab.params import TaskParams
from seqlab.pipeline.predicting import load_prepared, predict_split, prediction_plan

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluatedTask:
    """A tagger's scores and the rows of its plots.

    Args:
        scores: by split, the content of `metrics/<task>/evaluate.json`.
        confusion: rows of the confusion matrix on test.
        bars: rows of the test scores by entity type, or by tag if tags are not spans.
        errors: by split, what the page of errors contains.
    """

    scores: dict[str, dict[str, Any]]
    confusion: list[dict[str, Any]]
    bars: list[dict[str, Any]]
    errors: list[dict[str, Any]]

    @property
    def main_scores(self) -> dict[str, dict[str, float]]:
        """By split, the score that compares trainings: `span_f1`, or `token_accuracy` without spans."""
        name = "span_f1" if "span_f1" in self.scores["test"] else "token_accuracy"
        return {split: {name: scores[name]} for split, scores in self.scores.items()}


def evaluate_task(
    prepared: Path, model: Path, predictions: Path, *, task: TaskParams, seed: int
) -> EvaluatedTask:
    """Tag dev and test, score them, and write the predictions in CoNLL format.

    Args:
        prepared: the folder that the prepare stage wrote.
        model: the trained `model.keras`.
        predictions: the folder to write, `dev.conll` and `test.conll`, with spans in IOB2 whatever scheme the
            model learned. It is replaced as a whole, and only if everything succeeds.
        task: the task's section of the parameters.
        seed: seed of the bootstrap.

    Raises:
        ValueError: the number of tokens scored is not the corpus's.
    """
    tagger: Tagger = keras.saving.load_model(model)
    _, tags = load_prepared(prepared)
    corpus = json.loads((prepared / "corpus.json").read_text(encoding="utf-8"))
    spans = task.tag_scheme is not None
    train = read_encoded_split(prepared / "train", tags=tags)
    train_tokens = set(train.types)
    train_spans = span_surfaces(train.sentences()) if spans else None
    scores: dict[str, dict[str, Any]] = {}
    errors: list[dict[str, Any]] = []
    tagged: list[TaggedSentence] = []
    with replaced_directory(predictions) as made:
        for name in ("dev", "test"):
            logger.info("tagging and scoring %s", name)
            split = read_encoded_split(prepared / name, tags=tags)
            windows, buckets = prediction_plan(split, task.training)
            tagged = list(predict_split(tagger, split, windows=windows, buckets=buckets, spans=spans))
            expected = corpus["splits"][name]["tokens"]
            if (tokens := sum(len(sentence.tokens) for sentence in tagged)) != expected:
                raise ValueError(f"{tokens} tokens of {name} were scored, not {expected}")
            scores[name] = report_scores(
                tagged, spans=spans, seed=seed, train_tokens=train_tokens, train_spans=train_spans
            )
            write_predictions(made / f"{name}.conll", tagged)
            places = ((split.files[file], line) for file, line in split.places.tolist())
            errors.append(split_errors(name, tagged, spans=spans, train_tokens=train_tokens, places=places))
    return EvaluatedTask(
        scores=scores, confusion=confusion_rows(tagged), bars=score_rows(scores["test"]), errors=errors
    )
