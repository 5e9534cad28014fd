"""The progress of a training on the terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_INTERVAL_S = 15.0


class TrainingProgress:
    """A progress bar on a terminal, a line every 15 s elsewhere, and one line per epoch on both.

    Args:
        label: what is trained, and on which device.
        epochs: the maximum number of epochs.
        console: where to write. Defaults to standard output.
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
        self._last_line = time.monotonic()

    def start(self, summary: dict[str, Any]) -> None:
        """Describe the training, given the summary that `train_task` passes to `on_start`."""
        self._steps = summary["steps_per_epoch"]
        buckets = ", ".join(f"{rows}x{length}" for rows, length in summary["buckets"])
        mode = "eager mode" if summary["run_eagerly"] else "graph mode"
        dropped = summary["rows_dropped_per_epoch"]
        replicas = f", {summary['replicas']} replicas" if summary["replicas"] > 1 else ""
        frozen = f" ({summary['parameters_frozen']:,} frozen)" if summary.get("parameters_frozen") else ""
        unit = summary.get("bucket_unit", "tokens")
        self._print(
            f"{self.label}: {summary['parameters']:,} parameters{frozen}, {mode}"
            f"{' with XLA' if summary['jit_compile'] else ''}{replicas}; up to {self.epochs} epochs of "
            f"{self._steps} steps; batches (rows x {unit}) {buckets}; {dropped} of "
            f"{summary['rows_per_epoch'] + dropped} rows dropped per epoch"
        )

    def resume(self, epoch: int, steps: int) -> None:
        """Say that an interrupted training goes on after `steps` steps of `epoch`."""
        done = f"epoch {epoch - 1}" + (f" and {steps} steps" if steps else "")
        self._print(f"{self.label}: the interrupted training is resumed after {done}")

    def step(self, epoch: int, step: int, loss: float) -> None:
        """Show a finished step."""
        self._bar.update(
            self._task,
            description=f"epoch {epoch}/{self.epochs}",
            total=self._steps,
            completed=step,
            loss=loss,
        )
        if not self.console.is_terminal and time.monotonic() - self._last_line > _LINE_INTERVAL_S:
            self._last_line = time.monotonic()
            self._print(f"  epoch {epoch}/{self.epochs}, step {step}/{self._steps}, loss {loss:.3f}")

    def epoch(self, row: dict[str, float]) -> None:
        """Show a finished epoch, given its row of the history."""
        self._last_line = time.monotonic()
        scores = ", ".join(f"{name} {row[name]:.4f}" for name in ("span_f1", "token_accuracy") if name in row)
        self._print(
            f"epoch {row['epoch']:.0f}/{self.epochs}: train loss {row['train_loss']:.4f}, dev {scores}, "
            f"{row['duration_s']:.0f} s"
        )

    def _print(self, text: str) -> None:
        self.console.print(text, highlight=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
