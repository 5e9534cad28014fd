"""What a person sees while a tagger trains."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_EVERY_S = 15.0


class TrainingProgress:
    """A bar on a terminal, a line now and then elsewhere, and a line for every epoch in both.

    Args:
        label: what is trained, and on what.
        epochs: the most epochs.
        console: where to write; standard output by default.
    """

    def __init__(self, label: str, *, epochs: int, console: Console | None = None) -> None:
        self.label, self.epochs = label, epochs
        self.console = console or Console(soft_wrap=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task(label, total=None, loss=float("nan"))
        self._steps = 0
        self._said = time.monotonic()

    def start(self, summary: dict[str, Any]) -> None:
        """Say what the training will do, from the summary that `train_task` hands over first."""
        self._steps = summary["steps_per_epoch"]
        buckets = ", ".join(f"{rows}x{length}" for rows, length in summary["buckets"])
        mode = "eager mode" if summary["run_eagerly"] else "graph mode"
        self.console.print(
            f"{self.label}: {summary['parameters']:,} parameters, {mode}"
            f"{' with XLA' if summary['jit_compile'] else ''}; up to {self.epochs} epochs of {self._steps} "
            f"steps; batches (rows x tokens) {buckets}; {summary['rows_dropped_per_epoch']} of "
            f"{summary['rows_per_epoch'] + summary['rows_dropped_per_epoch']} rows wait for another epoch",
            highlight=False,
        )

    def step(self, epoch: int, step: int, loss: float) -> None:
        """One step was made."""
        self._bar.update(
            self._task,
            description=f"epoch {epoch}/{self.epochs}",
            total=self._steps,
            completed=step,
            loss=loss,
        )
        if not self.console.is_terminal and time.monotonic() - self._said > _LINE_EVERY_S:
            self._said = time.monotonic()
            self.console.print(
                f"  epoch {epoch}/{self.epochs}, step {step}/{self._steps}, loss {loss:.3f}", highlight=False
            )

    def epoch(self, row: dict[str, float]) -> None:
        """An epoch ended with this row of the history."""
        self._said = time.monotonic()
        scores = ", ".join(f"{name} {row[name]:.4f}" for name in ("span_f1", "token_accuracy") if name in row)
        self.console.print(
            f"epoch {row['epoch']:.0f}/{self.epochs}: train loss {row['train_loss']:.4f}, dev {scores}, "
            f"{row['duration_s']:.0f} s",
            highlight=False,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
