"""Where a training stands, as arrays: with them it goes on as if it had not been interrupted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

from seqlab.modeling.tagger import Tagger
from seqlab.modeling.token_embedding import FROZEN_EMBEDDINGS

_PROGRESS = "progress"


@dataclass
class TrainingState:
    """The progress of a training, besides the variables of the tagger and its optimizer.

    Args:
        epoch: the epoch under way, starting at 1.
        losses: the losses of its steps.
        gradient_norms: the global norms of their gradients, if the optimizer notes them.
        tokens: the tokens of its steps.
        positions: positions of its batches, padding included.
        train_s: seconds it has taken.
        history: one row per finished epoch; see `FitResult`.
        best_epoch: the finished epoch with the best score, 0 before the first.
        best_score: its monitored dev score.
        best_weights: its weights, without those that never change; see `changing`.
        shapes: distinct (rows, length) of the batches.
        traces: how often the training step was traced; None in eager mode.
    """

    epoch: int = 1
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    positions: int = 0
    train_s: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -math.inf
    best_weights: list[np.ndarray] = field(default_factory=list)
    shapes: set[tuple[int, ...]] = field(default_factory=set)
    traces: int | None = None

    def start_epoch(self, epoch: int) -> None:
        """Forget the steps of the epoch before."""
        self.epoch, self.losses, self.gradient_norms, self.tokens = epoch, [], [], []
        self.positions, self.train_s = 0, 0.0

    def note_traces(self, tagger: Tagger) -> None:
        """Count the traces of this process, which repeats those of an interrupted one."""
        counts = [count for count in (self.traces, tagger.training_traces) if count is not None]
        self.traces = max(counts, default=None)


class Checkpoint(Protocol):
    """Keeps the arrays of a training's last state."""

    def load(self) -> Mapping[str, np.ndarray] | None:
        """Return the arrays that were saved last, or None."""

    def save(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep `arrays` instead of those before."""

    def is_due(self) -> bool:
        """Whether an epoch has lasted so long that its state is to be saved before it ends."""


def state_arrays(tagger: Tagger, state: TrainingState) -> dict[str, np.ndarray]:
    """Return all that a training needs to go on: variables, seed generators, optimizer and progress.

    Keras's weights do not contain the states of the seed generators; `tagger.variables` does. Weights that no
    training changes are left out.
    """
    progress = asdict(state) | {"shapes": sorted(state.shapes), "best_weights": len(state.best_weights)}
    arrays = {_PROGRESS: np.frombuffer(json.dumps(progress).encode(), np.uint8)}
    arrays |= {f"variable_{i}": np.asarray(variable) for i, variable in enumerate(_variables(tagger))}
    arrays |= {f"best_weight_{i}": weight for i, weight in enumerate(state.best_weights)}
    return arrays


def restore_state(tagger: Tagger, arrays: Mapping[str, np.ndarray]) -> TrainingState | None:
    """Assign the saved variables and return the progress; None, with nothing assigned, if they do not fit."""
    variables = _variables(tagger)
    names = [f"variable_{i}" for i in range(len(variables))]
    if not all(
        name in arrays and arrays[name].shape == tuple(variable.shape)
        for name, variable in zip(names, variables, strict=True)
    ):
        return None
    progress: dict[str, Any] = json.loads(arrays[_PROGRESS].tobytes())
    progress["shapes"] = {tuple(shape) for shape in progress["shapes"]}
    progress["best_weights"] = [arrays[f"best_weight_{i}"] for i in range(progress["best_weights"])]
    for name, variable in zip(names, variables, strict=True):
        variable.assign(arrays[name])
    return TrainingState(**progress)


def _variables(tagger: Tagger) -> list[Any]:
    """The tagger's variables, seed generators included, and the optimizer's, moving averages included."""
    tagger.optimizer.build(tagger.trainable_variables)
    return [*changing(tagger.variables), *tagger.optimizer.variables]


def changing(variables: Sequence[Any]) -> list[Any]:
    """Return the variables that training may change: all but frozen word vectors, which may be large."""
    return [variable for variable in variables if variable.name != FROZEN_EMBEDDINGS]
