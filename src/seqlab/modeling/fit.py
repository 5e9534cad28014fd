"""The training loop: epochs of steps in graph mode, a dev score and a checkpoint after each."""

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
from seqlab.modeling.training_state import Checkpoint, TrainingState, changing, restore_state, state_arrays

Batch = tuple[dict[str, Any], Any, Any]

STEPS_PER_FETCH = 10
"""Steps between two fetches of the losses: each fetch waits for the device."""


@dataclass
class FitResult:
    """The result of a training.

    Args:
        history: one row per epoch: `epoch` (starting at 1), `train_loss`, `learning_rate`, `duration_s`,
            `train_s` (without scoring dev), `steps`, `tokens`, `padding_efficiency`, `ended_ms` (since 1970),
            and the dev scores.
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
    batch_shapes: list[tuple[int, ...]] = field(default_factory=list)


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
    training_dataset: Callable[[int, int], Iterable[Batch]],
    score: Callable[[], dict[str, float]],
    monitor: str,
    epochs: int,
    patience: int,
    seed: int,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
    on_step: Callable[[int, int, float], None] | None = None,
    on_resume: Callable[[TrainingState], None] | None = None,
    checkpoint: Checkpoint | None = None,
    describe_batch: Callable[[int, int], str] | None = None,
    steps_per_fetch: int = STEPS_PER_FETCH,
) -> FitResult:
    """Train a compiled tagger. Afterwards it has the weights of its best epoch.

    Args:
        tagger: compiled with an optimizer.
        training_dataset: maps an epoch (starting at 0) and a number of steps to the epoch's batches after
            these steps: `(features, labels, sample_weight)`, with the labels that the tagger's loss expects;
            with several replicas see `Tagger.train_batch`.
        score: called after each epoch; returns dev scores, including `monitor`.
        monitor: the score to maximise.
        epochs: maximum number of epochs.
        patience: training stops after this many epochs without a better score.
        seed: with the epoch, determines dropout.
        on_epoch: called with each row of the history.
        on_step: called with (epoch, step, loss), both starting at 1, after every `steps_per_fetch` steps and
            at the end of an epoch.
        on_resume: called with the restored state before the first step, if there is one.
        checkpoint: contains the state of an interrupted training of the same tagger, or nothing; the state
            is saved after each epoch, and within an epoch when it is due.
        describe_batch: maps an epoch and a step, both starting at 1, to its sentences, for errors.
        steps_per_fetch: steps after which the losses are fetched from the device, and checked.

    Raises:
        SeqlabError: the loss or its gradient is not finite.
    """

    def fetch(waiting: list[Any], state: TrainingState) -> None:
        """Move the losses and gradient norms of the last steps from the device to the state."""
        for loss, *norm in waiting:
            state.losses.append(float(loss))
            state.gradient_norms += map(float, norm)
            if not all(map(math.isfinite, (state.losses[-1], *state.gradient_norms[-1:]))):
                raise _not_finite(tagger, state, describe_batch)
        waiting.clear()
        if on_step:
            on_step(state.epoch, len(state.losses), state.losses[-1])

    state = (checkpoint and _restored(tagger, checkpoint)) or TrainingState()
    if on_resume and (state.history or state.losses):
        on_resume(state)
    averaging = keras.callbacks.SwapEMAWeights() if _averages_weights(tagger.optimizer) else None
    if averaging:
        averaging.set_model(tagger)
    while state.epoch <= epochs and state.epoch - 1 - state.best_epoch < patience:
        epoch, started = state.epoch, time.monotonic() - state.train_s
        if not state.losses:
            reseed(tagger, seed=seed, epoch=epoch - 1)
        waiting: list[Any] = []
        for features, labels, sample_weight in training_dataset(epoch - 1, len(state.losses)):
            loss = tagger.train_batch(features, labels, sample_weight)
            waiting.append((loss, *_gradient_norm(tagger.optimizer)))
            state.tokens.append(float(np.sum(sample_weight)))
            state.positions += math.prod(sample_weight.shape)
            state.shapes.add(tuple(sample_weight.shape))
            if len(waiting) == steps_per_fetch:
                fetch(waiting, state)
                if checkpoint and checkpoint.is_due():
                    state.train_s = time.monotonic() - started
                    state.note_traces(tagger)
                    checkpoint.save(state_arrays(tagger, state))
        if waiting:
            fetch(waiting, state)
        train_s = time.monotonic() - started
        if averaging:
            averaging.on_test_begin()  # score and keep the averaged weights
        scores = score()
        if scores[monitor] > state.best_score:
            state.best_epoch, state.best_score = epoch, scores[monitor]
            state.best_weights = [weight.numpy() for weight in changing(tagger.weights)]
        if averaging:
            averaging.on_test_end()
        row = {
            "epoch": epoch,
            "train_loss": float(np.average(state.losses, weights=state.tokens)),
            **scores,
            "learning_rate": float(tagger.optimizer.learning_rate),
            "duration_s": time.monotonic() - started,
            "train_s": train_s,
            "steps": len(state.losses),
            "tokens": int(sum(state.tokens)),
            "padding_efficiency": sum(state.tokens) / state.positions,
            "ended_ms": time.time_ns() // 1_000_000,
        }
        state.history.append(row)
        state.note_traces(tagger)
        state.start_epoch(epoch + 1)
        if checkpoint:  # saved first: whatever follows can be repeated
            checkpoint.save(state_arrays(tagger, state))
        if on_epoch:
            on_epoch(row)
    for weight, best in zip(changing(tagger.weights), state.best_weights, strict=True):
        weight.assign(best)
    return FitResult(
        history=state.history,
        best_epoch=state.best_epoch,
        best_score=state.best_score,
        stopped_early=state.epoch <= epochs,
        traces=state.traces,
        batch_shapes=sorted(state.shapes),
    )


def _restored(tagger: Tagger, checkpoint: Checkpoint) -> TrainingState | None:
    arrays = checkpoint.load()
    return restore_state(tagger, arrays) if arrays else None


def _not_finite(
    tagger: Tagger, state: TrainingState, describe_batch: Callable[[int, int], str] | None
) -> SeqlabError:
    """The error for the last step of the state."""
    step, loss, norms = len(state.losses), state.losses[-1], state.gradient_norms
    what = f"loss is {loss}" if not math.isfinite(loss) else f"gradient's norm is {norms[-1]}"
    received = [f"losses {_last(state.losses)}", *([f"gradient norms {_last(norms)}"] if norms else [])]
    received.append(f"learning rate {float(tagger.optimizer.learning_rate):.2g}")
    batch = f"\n    batch: {describe_batch(state.epoch, step)}" if describe_batch else ""
    return SeqlabError(
        f"the {what} at epoch {state.epoch}, step {step}",
        expected="a finite loss and a finite gradient",
        received="; ".join(received) + batch,
        remedy="lower training.learning_rate, set training.clip_norm, or use float32; "
        "the last checkpoint is kept",
    )


def _last(values: list[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values[-4:])


def _gradient_norm(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """The norm of the last step's gradients, if the optimizer notes it, without waiting for the device.

    Under loss scaling, steps whose gradients are not finite are skipped, and the norm is of an earlier step.
    """
    norm = getattr(getattr(optimizer, "inner_optimizer", optimizer), "gradient_norm", None)
    return [] if norm is None else [keras.ops.copy(norm)]


def _averages_weights(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer, or the one inside a loss-scaling optimizer, averages the weights."""
    return bool(getattr(optimizer, "inner_optimizer", optimizer).use_ema)
