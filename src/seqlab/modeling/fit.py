"""Training: epochs of steps in graph mode, a dev score after each, the best weights kept."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from seqlab.errors import SeqlabError
from seqlab.modeling.tagger import Tagger

Batch = tuple[dict[str, Any], Any, Any]


@dataclass
class FitResult:
    """What a training did.

    Args:
        history: one row per epoch: `epoch` (from 1), `train_loss`, `learning_rate`, `duration_s`, `steps`,
            `tokens`, `padding_efficiency`, and the dev scores.
        best_epoch: the epoch whose weights the tagger holds now.
        best_score: its monitored dev score.
        stopped_early: whether patience ran out before the last epoch.
        traces: how often the training step was traced, or None in eager mode.
        batch_shapes: distinct (rows, length) of the training batches.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -math.inf
    stopped_early: bool = False
    traces: int | None = None
    batch_shapes: list[tuple[int, int]] = field(default_factory=list)


def reseed(tagger: Tagger, *, seed: int, epoch: int) -> None:
    """Set every seed generator's state, so that an epoch's random numbers depend on (seed, epoch) alone."""
    states = [variable for variable in tagger.variables if variable.name == "seed_generator_state"]
    for number, state in enumerate(states):
        digest = hashlib.sha256(f"{seed}/{epoch}/{number}".encode()).digest()
        state.assign(np.array([int.from_bytes(digest[:4], "little"), 0], np.uint32))


def fit(
    tagger: Tagger,
    *,
    training_dataset: Callable[[int], Iterable[Batch]],
    score: Callable[[], dict[str, float]],
    monitor: str,
    epochs: int,
    patience: int,
    seed: int,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
) -> FitResult:
    """Train a compiled tagger and leave in it the weights of its best epoch.

    Args:
        tagger: compiled with an optimizer.
        training_dataset: epoch (from 0) to its batches `(features, labels, sample_weight)`, the labels as the
            tagger's loss takes them.
        score: called after each epoch; gives dev scores, among them `monitor`.
        monitor: the score to maximise.
        epochs: the most epochs.
        patience: epochs without a better score after which training stops.
        seed: with the epoch, fixes dropout.
        on_epoch: called with each row of the history.
        on_step: called with (epoch, step, loss) after each step.

    Raises:
        SeqlabError: the loss is not finite.
    """
    result = FitResult()
    best_weights: list[np.ndarray] = []
    shapes: set[tuple[int, int]] = set()
    averaging = keras.callbacks.SwapEMAWeights() if tagger.optimizer.use_ema else None
    if averaging:
        averaging.set_model(tagger)
    for epoch in range(epochs):
        started = time.monotonic()
        reseed(tagger, seed=seed, epoch=epoch)
        loss_sum = tokens = 0.0
        positions = steps = 0
        for features, labels, sample_weight in training_dataset(epoch):
            loss = float(
                tagger.train_on_batch(features, labels, sample_weight=sample_weight, return_dict=True)["loss"]
            )
            weight = float(np.sum(sample_weight))
            steps += 1
            if not math.isfinite(loss):
                raise SeqlabError(
                    f"the loss is {loss} at epoch {epoch + 1}, step {steps}",
                    expected="a finite loss",
                    remedy="lower training.learning_rate, set training.clip_norm, or use float32",
                )
            loss_sum, tokens = loss_sum + loss * weight, tokens + weight
            rows, length = map(int, sample_weight.shape)
            positions += rows * length
            shapes.add((rows, length))
            if on_step:
                on_step(epoch + 1, steps, loss)
        if averaging:
            averaging.on_test_begin()
        scores = score()
        row = {
            "epoch": epoch + 1,
            "train_loss": loss_sum / tokens,
            **scores,
            "learning_rate": float(tagger.optimizer.learning_rate),
            "duration_s": time.monotonic() - started,
            "steps": steps,
            "tokens": int(tokens),
            "padding_efficiency": tokens / positions,
        }
        result.history.append(row)
        if scores[monitor] > result.best_score:
            result.best_epoch, result.best_score = epoch + 1, scores[monitor]
            best_weights = tagger.get_weights()
        if averaging:
            averaging.on_test_end()
        if on_epoch:
            on_epoch(row)
        if epoch + 1 - result.best_epoch >= patience and epoch + 1 < epochs:
            result.stopped_early = True
            break
    tagger.set_weights(best_weights)
    result.traces = tagger.training_traces
    result.batch_shapes = sorted(shapes)
    return result
