"""Training one tagger on prepared data: the train stage and the benchmarks call this."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqlab.batching.auxiliary import read_auxiliary
from seqlab.batching.buckets import choose_buckets
from seqlab.batching.datasets import training_dataset
from seqlab.batching.encoding import read_encoded_split
from seqlab.batching.gathering import BatchGatherer
from seqlab.batching.mention_replacement import MentionReplacer, continues_mention
from seqlab.batching.planning import EpochPlanner, plan_evaluation
from seqlab.errors import SeqlabError
from seqlab.evaluation.scores import score_names, score_sentences
from seqlab.hub.loading import load_backbone
from seqlab.modeling.device import runs_two_operations
from seqlab.modeling.distribution import Replicas, check_batch_size
from seqlab.modeling.fit import FitResult, fit
from seqlab.modeling.masks.proof import check_masks
from seqlab.modeling.multi_task_tagger import MultiTaskTagger
from seqlab.modeling.optimizer import VariableRate, make_optimizer
from seqlab.modeling.saving import save_tagger
from seqlab.modeling.tagger import Tagger
from seqlab.modeling.training_state import Checkpoint, TrainingState
from seqlab.params import TaskParams
from seqlab.pipeline.building import build_tagger
from seqlab.pipeline.learnable import check_learnable
from seqlab.pipeline.predicting import (
    boundaries_for,
    cut_rows,
    load_prepared,
    predict_split,
    prediction_plan,
    row_lengths,
)

HALVING_STEPS = 200
"""Least number of steps for which the halves of a batch are computed at the same time.

Tracing both halves takes a second more, which a short training does not gain back.
"""


@dataclass(frozen=True)
class TrainedTask:
    """A trained tagger and the record of its training.

    Args:
        tagger: has the weights of the best epoch.
        result: the history and the number of traces.
        summary: numbers for `train.json` and the MLflow run.
        sample: features of a batch of dev, on which a saved tagger is compared.
    """

    tagger: Tagger
    result: FitResult
    summary: dict[str, Any]
    sample: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the tagger as a `.keras` file; see `save_tagger`."""
        save_tagger(self.tagger, path, features=self.sample)

    def curve_rows(self) -> list[dict[str, Any]]:
        """Return the learning curve as rows of `epoch`, `series` and `value`."""
        dev = {name: f"dev {name}" for name in self.summary["dev"]}
        series = {"train_loss": "train_loss", **dev, "learning_rate": "learning_rate"}
        return [
            {"epoch": int(row["epoch"]), "series": label, "value": row[name]}
            for row in self.result.history
            for name, label in series.items()
        ]


def train_task(
    prepared: Path,
    *,
    task: TaskParams,
    seed: int,
    on_start: Callable[[dict[str, Any]], None] | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
    replicas: Replicas | None = None,
    on_resume: Callable[[TrainingState], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainedTask:
    """Train a tagger on `prepared/train` and keep the epoch that scores best on `prepared/dev`.

    Args:
        prepared: the folder that the prepare stage wrote.
        task: the task's section of the parameters.
        seed: fixes initial weights, data order and dropout.
        on_start: called before the first step with the first part of the summary.
        on_epoch: called with each row of the history.
        on_step: called with (epoch, step, loss).
        replicas: devices and machines that train together; by default one device. Each machine calls this
            with the same arguments, and the chief alone scores dev.
        on_resume: called with the state that was restored from the checkpoint.
        checkpoint: the state of an interrupted training with the same arguments, code and data, or nothing.

    Raises:
        SeqlabError: nothing can be learned from the data, the tagger loses its mask, the loss is not finite,
            or the batches are too small for the replicas.
    """
    training = task.training
    replicas = replicas or Replicas()
    check_batch_size(
        replicas.count,
        batch_size=training.batch_size,
        batch_tokens=training.batch_tokens,
        max_length=training.window_length,
    )
    replicas.require_equal(
        parameters=hashlib.sha256(f"{seed} {task.model_dump_json()}".encode()).hexdigest(),
        corpus=json.loads((prepared / "corpus.json").read_text(encoding="utf-8"))["digest"],
    )
    spans = task.tag_scheme is not None
    keras.utils.set_random_seed(seed)
    encoder, tags = load_prepared(prepared)
    train, dev = (read_encoded_split(prepared / name, tags=tags) for name in ("train", "dev"))
    auxiliary = read_auxiliary(prepared / "train")
    windows = cut_rows(
        train,
        max_length=training.window_length,
        continues=partial(continues_mention, train) if spans else None,
    )
    lengths = row_lengths(train, windows)
    buckets = choose_buckets(
        lengths,
        boundaries=boundaries_for(
            lengths, training, batch_size=1 if training.batch_tokens else training.batch_size
        ),
        batch_size=training.batch_size,
        batch_tokens=training.batch_tokens,
    )
    planner = EpochPlanner(lengths, buckets)
    check_learnable(
        train, dev, task=task, num_tokens=len(encoder.tokens), windows=len(windows), steps=planner.steps
    )

    tables = {
        name: np.load(path, mmap_mode="r")
        for name in ("vectors", "frozen_vectors")
        if (path := prepared / f"{name}.npy").exists()
    }
    backbone = load_backbone(prepared / "pretrained") if encoder.pieces else None
    with replicas.scope():
        tagger = build_tagger(task, encoder=encoder, tags=tags, backbone=backbone, **tables)
    del backbone
    layers_masked = check_masks(
        tagger, max_length=training.window_length, max_token_length=encoder.max_token_length
    )
    if min(bucket.batch_size for bucket in buckets) < training.gradient_accumulation_steps:
        smallest = min(buckets, key=lambda bucket: bucket.batch_size)
        raise SeqlabError(
            "a batch has too few rows to be computed in parts",
            where="training.gradient_accumulation_steps",
            expected=f"at most {smallest.batch_size}, the rows of the batches of length {smallest.length}",
            received=str(training.gradient_accumulation_steps),
            remedy="lower it, or raise training.batch_size",
        )
    total_steps = training.epochs * planner.steps
    with replicas.scope():
        learner = tagger
        if auxiliary:
            learner = MultiTaskTagger(
                tagger,
                auxiliary=[len(column.tags) for column in auxiliary],
                auxiliary_weight=task.auxiliary.weight,
            )
        halves_rows = (
            total_steps >= HALVING_STEPS
            and replicas.count == 1
            and not training.run_eagerly
            and runs_two_operations()
        )
        if halves_rows:
            tagger.halve_rows()
        learner.gradient_accumulation_steps = training.gradient_accumulation_steps
        learner.compile(
            optimizer=make_optimizer(
                learning_rate=training.learning_rate,
                rates=_encoder_rates(tagger, task, steps=planner.steps),
                warmup_steps=round(training.warmup_epochs * planner.steps),
                total_steps=total_steps,
                weight_decay=training.weight_decay,
                clip_norm=training.clip_norm,
                averaged_steps=round(training.weight_averaging_epochs * planner.steps),
                loss_scaling=training.mixed_precision == "mixed_float16",
            ),
            auto_scale_loss=False,
            run_eagerly=training.run_eagerly,
            jit_compile=training.jit_compile if replicas.count == 1 else False,
        )
    summary: dict[str, Any] = {
        "parameters": int(tagger.count_params()),
        "parameters_frozen": sum(math.prod(weight.shape) for weight in tagger.non_trainable_weights),
        "layers_reached_by_mask": layers_masked,
        "steps_per_epoch": planner.steps,
        "rows_per_epoch": planner.rows,
        "rows_dropped_per_epoch": planner.dropped,
        "buckets": [[bucket.batch_size, bucket.length] for bucket in buckets],
        "bucket_unit": "pieces" if train.pieces else "tokens",
        "auxiliary_columns": [column.name for column in auxiliary],
        "strategy": training.strategy,
        "replicas": replicas.count,
        "halves_rows": halves_rows,
        "run_eagerly": bool(learner.run_eagerly),
        "jit_compile": bool(learner.jit_compile),
    }
    if on_start:
        on_start(summary)

    replacer = None
    if spans and training.mention_replacement:
        replacer = MentionReplacer(train, share=training.mention_replacement, seed=seed)
    # XLA compiles each shape, so all of them must be static.
    gatherer = BatchGatherer(train, windows, auxiliary=auxiliary, distinct_types=not summary["jit_compile"])

    def dataset(epoch: int, skipped: int) -> Any:
        return training_dataset(
            gatherer,
            planner,
            seed=seed,
            epoch=epoch,
            skipped=skipped,
            replaced=replacer.replaced(epoch) if replacer else None,
            replicas=replicas.count,
            local_replicas=replicas.local,
        )

    def describe_batch(epoch: int, step: int) -> str:
        planned = next(islice(planner.batches(seed=seed, epoch=epoch - 1), step - 1, None))
        numbers = windows.sentence[planned.row_ids]
        first = train.type_ids[slice(*train.offsets[numbers[0] : numbers[0] + 2])][:12]
        return (
            f"the sentences that start at {train.lines_of(set(numbers.tolist()))}; one of them is: "
            f"{' '.join(train.types[i] for i in first)}"
        )

    dev_windows, dev_buckets = prediction_plan(dev, training)
    dev_scores = score_names(spans=spans)

    def score() -> dict[str, float]:
        if not replicas.is_chief:
            return replicas.from_chief(dict.fromkeys(dev_scores, 0.0))
        predicted = predict_split(learner, dev, windows=dev_windows, buckets=dev_buckets, spans=spans)
        scores = score_sentences(predicted, spans=spans)
        return replicas.from_chief({name: float(scores[name]) for name in dev_scores})

    result = fit(
        learner,
        training_dataset=dataset,
        score=score,
        monitor=training.monitor,
        epochs=training.epochs,
        patience=training.patience,
        seed=seed,
        on_epoch=on_epoch,
        on_step=on_step,
        on_resume=on_resume,
        checkpoint=checkpoint,
        describe_batch=describe_batch,
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
        "duration_s": duration_s,
        "tokens_per_s": tokens / duration_s,
        "dev": {name: best[name] for name in dev_scores},
    }
    dev_batch = next(plan_evaluation(row_lengths(dev, dev_windows), dev_buckets))
    sample = BatchGatherer(dev, dev_windows).gather(dev_batch).features
    return TrainedTask(tagger=tagger, result=result, summary=summary, sample=sample)


def _encoder_rates(tagger: Tagger, task: TaskParams, *, steps: int) -> dict[str, VariableRate]:
    """Return the learning rates of the pretrained encoder's variables, relative to `learning_rate`."""
    encoder = tagger.embedder.pretrained_encoder
    if encoder is None:
        return {}
    params = task.embedder.pretrained
    share = params.learning_rate / task.training.learning_rate
    return {
        variable.path: VariableRate(
            factor=share * params.layer_decay**depth, warmup_steps=round(params.warmup_epochs * steps)
        )
        for variable, depth in encoder.depths()
    }
