"""Train one tagger on prepared data. The train stage, sweeps and repeated seeds all call this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqlab.batching.auxiliary import read_auxiliary
from seqlab.batching.buckets import Bucket, Windows, choose_buckets, cut_windows, plan_epoch
from seqlab.batching.datasets import evaluation_dataset, training_dataset
from seqlab.batching.encoding import EncodedSplit, FeatureEncoder, read_encoded_split
from seqlab.batching.mention_replacement import MentionReplacer
from seqlab.batching.prediction import predict_tags
from seqlab.batching.vocabulary import Vocabulary
from seqlab.evaluation.scores import score_sentences
from seqlab.modeling.fit import FitResult, fit
from seqlab.modeling.masks.proof import check_masks
from seqlab.modeling.multi_task_tagger import MultiTaskTagger
from seqlab.modeling.optimizer import make_optimizer
from seqlab.modeling.saving import save_tagger
from seqlab.modeling.tagger import Tagger
from seqlab.params import TaskParams, TrainingParams
from seqlab.pipeline.building import build_tagger

EVALUATION_BATCH_SIZE = 64


@dataclass(frozen=True)
class TrainedTask:
    """A trained tagger and what its training did.

    Args:
        tagger: holds the best epoch's weights.
        result: the history and the proof of graph mode.
        summary: figures ready for JSON and for the tracking run.
        sample: features of a batch of dev, to compare a saved tagger on.
    """

    tagger: Tagger
    result: FitResult
    summary: dict[str, Any]
    sample: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the tagger to `path`; see `save_tagger`."""
        save_tagger(self.tagger, path, features=self.sample)


class SplitScorer:
    """Decodes a whole split with a tagger and scores it; batches are planned once."""

    def __init__(self, split: EncodedSplit, *, training: TrainingParams, spans: bool) -> None:
        self.split, self.spans = split, spans
        self.windows, self.buckets = evaluation_plan(split, training)

    def __call__(self, tagger: Tagger) -> dict[str, float]:
        """Dev scores under the names of the history."""
        pairs = predict_split(tagger, self.split, windows=self.windows, buckets=self.buckets)
        scores = score_sentences(pairs, spans=self.spans, train_tokens=None)
        return {name: float(scores[name]) for name in score_names(spans=self.spans)}


def score_names(*, spans: bool) -> list[str]:
    """The dev scores that a row of the history holds."""
    return ["token_accuracy", *(["span_precision", "span_recall", "span_f1"] if spans else [])]


def evaluation_window(training: TrainingParams) -> dict[str, int]:
    """How too long a sentence is cut where tags are predicted, here and in every export."""
    longest = training.bucket_boundaries[-1]
    return {"max_length": longest, "overlap": longest // 4}


def evaluation_plan(split: EncodedSplit, training: TrainingParams) -> tuple[Windows, list[Bucket]]:
    """Rows and buckets in which a split is decoded: overlapping windows, and every boundary in use."""
    windows = cut_windows(split.offsets, **evaluation_window(training))
    return windows, [Bucket(boundary, EVALUATION_BATCH_SIZE) for boundary in training.bucket_boundaries]


def predict_split(tagger: Tagger, split: EncodedSplit, *, windows: Windows, buckets: list[Bucket]) -> Any:
    """Yield `(tokens, gold, predicted)` for each sentence of the split, in order."""
    batches = evaluation_dataset(split, windows, buckets)
    return predict_tags(tagger.decode, batches, split=split, windows=windows)


def load_prepared(prepared: Path) -> tuple[FeatureEncoder, Vocabulary]:
    """The vocabularies that `prepare` wrote."""
    vocabulary = prepared / "vocabulary"
    return FeatureEncoder.read(vocabulary), Vocabulary.read(vocabulary / "tags.json")


def train_task(
    prepared: Path,
    *,
    task: TaskParams,
    seed: int,
    on_start: Callable[[dict[str, Any]], None] | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> TrainedTask:
    """Train a tagger on `prepared/train`, choosing its epoch on `prepared/dev`.

    Args:
        prepared: the folder that prepare wrote.
        task: the task's section of the parameters.
        seed: fixes initial weights, the order of the data, and dropout.
        on_start: called before the first step with the plan: parameters, steps, buckets, what is dropped.
        on_epoch: called with each row of the history.
        on_step: called with (epoch, step, loss).
    """
    training = task.training
    keras.utils.set_random_seed(seed)
    encoder, tags = load_prepared(prepared)
    train, dev = (read_encoded_split(prepared / name, tags=tags) for name in ("train", "dev"))
    windows = cut_windows(train.offsets, max_length=training.bucket_boundaries[-1])
    buckets = choose_buckets(
        windows.length,
        bucket_boundaries=training.bucket_boundaries,
        batch_size=training.batch_size,
        batch_tokens=training.batch_tokens,
    )
    plan = plan_epoch(windows.length, buckets)
    vectors_path = prepared / "vectors.npy"
    vectors = np.load(vectors_path) if vectors_path.exists() else None
    tagger = build_tagger(task, encoder=encoder, tags=tags, vectors=vectors)
    layers_masked = check_masks(
        tagger, max_length=training.bucket_boundaries[-1], max_token_length=encoder.max_token_length
    )
    auxiliary = read_auxiliary(prepared / "train")
    learner = tagger
    if auxiliary:
        learner = MultiTaskTagger(
            tagger,
            auxiliary=[len(column.tags) for column in auxiliary],
            auxiliary_weight=task.auxiliary.weight,
        )
    learner.compile(
        optimizer=make_optimizer(
            learning_rate=training.learning_rate,
            warmup_steps=round(training.warmup_epochs * plan.steps),
            total_steps=training.epochs * plan.steps,
            weight_decay=training.weight_decay,
            clip_norm=training.clip_norm,
            averaged_steps=round(training.weight_averaging_epochs * plan.steps),
        ),
        run_eagerly=training.run_eagerly,
        jit_compile=training.jit_compile,
    )
    summary: dict[str, Any] = {
        "parameters": int(tagger.count_params()),
        "layers_reached_by_mask": layers_masked,
        "steps_per_epoch": plan.steps,
        "rows_per_epoch": plan.rows,
        "rows_dropped_per_epoch": plan.dropped,
        "buckets": [[bucket.batch_size, bucket.length] for bucket in buckets],
        "auxiliary_columns": [column.name for column in auxiliary],
        "run_eagerly": bool(learner.run_eagerly),
        "jit_compile": bool(learner.jit_compile),
    }
    if on_start:
        on_start(summary)
    swapper = None
    if task.tag_scheme is not None and training.mention_replacement:
        swapper = MentionReplacer(
            train, auxiliary, tag_scheme=task.tag_scheme, share=training.mention_replacement, seed=seed
        )

    def dataset(epoch: int) -> Any:
        split, columns = swapper.swapped(epoch) if swapper else (train, auxiliary)
        return training_dataset(split, windows, buckets, seed=seed, epoch=epoch, auxiliary=columns)

    scorer = SplitScorer(dev, training=training, spans=task.tag_scheme is not None)
    result = fit(
        learner,
        training_dataset=dataset,
        score=lambda: scorer(learner),
        monitor=training.monitor,
        epochs=training.epochs,
        patience=training.patience,
        seed=seed,
        on_epoch=on_epoch,
        on_step=on_step,
    )
    best = result.history[result.best_epoch - 1]
    tokens, duration_s = (sum(row[name] for row in result.history) for name in ("tokens", "duration_s"))
    summary |= {
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "stopped_early": result.stopped_early,
        "training_traces": result.traces,
        "batch_shapes": len(result.batch_shapes),
        "padding_efficiency": best["padding_efficiency"],
        "tokens_per_s": tokens / duration_s,
        "dev": {name: best[name] for name in score_names(spans=scorer.spans)},
    }
    sample = next(iter(evaluation_dataset(dev, scorer.windows, scorer.buckets)))[0]
    return TrainedTask(tagger=tagger, result=result, summary=summary, sample=sample)
