"""The training loop: epochs of steps in graph mode, dev scores after each epoch, best weights kept."""

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

STEPS_PER_FETCH = 10
"""Steps between two fetches of the losses: each fetch waits for the device."""


@dataclass
class FitResult:
    """The result of a training.

    Args:
        history: one row per epoch: `epoch` (starting at 1), `train_loss`, `learning_rate`, `duration_s`,
            `train_s` (without scoring dev), `steps`, `tokens`, `padding_efficiency`, and the dev scores.
        best_epoch: the epoch whose weights the tagger now has.
        best_score: its monitored dev score.
        stopped_early: whether training stopped before the last epoch because the score did not improve.
        traces: how often the training step was traced; None in eager mode.
        batch_shapes: distinct (rows, length) of the training batches.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -math.inf
    stopped_early: bool = False
    traces: int | None = None
    batch_shapes: list[tuple[int, int]] = field(default_factory=list)


def reseed(tagger: Tagger, *, seed: int, epoch: int) -> None:
    """Set the state of every seed generator, so that random numbers depend only on (seed, epoch, replica)."""
    states = [variable for variable in tagger.variables if variable.name == "seed_generator_state"]
    for index, state in enumerate(states):
        for replica, copy in tagger.replica_copies(state):
            text = f"{seed}/{epoch}/{index}" + (f"/{replica}" if replica else "")
            digest = hashlib.sha256(text.encode()).digest()
            copy.assign(np.array([int.from_bytes(digest[:4], "little"), 0], np.uint32))


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
    steps_per_fetch: int = STEPS_PER_FETCH,
) -> FitResult:
    """Train a compiled tagger. Afterwards it has the weights of its best epoch.

    Args:
        tagger: compiled with an optimizer.
        training_dataset: maps an epoch (starting at 0) to its batches `(features, labels, sample_weight)`,
            with the labels that the tagger's loss expects; with several replicas see `Tagger.train_batch`.
        score: called after each epoch; returns dev scores, including `monitor`.
        monitor: the score to maximise.
        epochs: maximum number of epochs.
        patience: training stops after this many epochs without a better score.
        seed: with the epoch, determines dropout.
        on_epoch: called with each row of the history.
        on_step: called with (epoch, step, loss), both starting at 1, after every `steps_per_fetch` steps and
            at the end of an epoch.
        steps_per_fetch: steps after which the losses are fetched from the device, and checked.

    Raises:
        SeqlabError: the loss is not finite.
    """
    result = FitResult()
    best_weights: list[np.ndarray] = []
    shapes: set[tuple[int, int]] = set()
    averaging = keras.callbacks.SwapEMAWeights() if _averages_weights(tagger.optimizer) else None
    if averaging:
        averaging.set_model(tagger)
    for epoch in range(1, epochs + 1):
        started = time.monotonic()
        reseed(tagger, seed=seed, epoch=epoch - 1)
        losses: list[float] = []
        waiting, tokens, positions = [], [], 0
        for features, labels, sample_weight in training_dataset(epoch - 1):
            waiting.append(tagger.train_batch(features, labels, sample_weight))
            tokens.append(float(np.sum(sample_weight)))
            positions += math.prod(sample_weight.shape)
            shapes.add(tuple(sample_weight.shape))
            if len(waiting) == steps_per_fetch:
                _fetch(waiting, losses, epoch=epoch, on_step=on_step)
        if waiting:
            _fetch(waiting, losses, epoch=epoch, on_step=on_step)
        train_s = time.monotonic() - started
        if averaging:
            averaging.on_test_begin()  # score and keep the averaged weights
        scores = score()
        if scores[monitor] > result.best_score:
            result.best_epoch, result.best_score = epoch, scores[monitor]
            best_weights = tagger.get_weights()
        if averaging:
            averaging.on_test_end()
        row = {
            "epoch": epoch,
            "train_loss": float(np.average(losses, weights=tokens)),
            **scores,
            "learning_rate": float(tagger.optimizer.learning_rate),
            "duration_s": time.monotonic() - started,
            "train_s": train_s,
            "steps": len(losses),
            "tokens": int(sum(tokens)),
            "padding_efficiency": sum(tokens) / positions,
        }
        result.history.append(row)
        if on_epoch:
            on_epoch(row)
        if epoch - result.best_epoch >= patience and epoch < epochs:
            result.stopped_early = True
            break
    tagger.set_weights(best_weights)
    result.traces = tagger.training_traces
    result.batch_shapes = sorted(shapes)
    return result


def _averages_weights(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer, or the one inside a loss-scaling optimizer, averages the weights."""
    return bool(getattr(optimizer, "inner_optimizer", optimizer).use_ema)


def _fetch(
    waiting: list[Any],
    losses: list[float],
    *,
    epoch: int,
    on_step: Callable[[int, int, float], None] | None,
) -> None:
    """Move the losses of the last steps from the device to `losses`.

    Raises:
        SeqlabError: a loss is not finite.
    """
    for loss in waiting:
        losses.append(float(loss))
        if not math.isfinite(losses[-1]):
            raise SeqlabError(
                f"the loss is {losses[-1]} at epoch {epoch}, step {len(losses)}",
                expected="a finite loss",
                remedy="lower training.learning_rate, set training.clip_norm, or use float32",
            )
    waiting.clear()
    if on_step:
        on_step(epoch, len(losses), losses[-1])
