"""What Ray Tune asks: which trial is next, and which one has become so bad that it is stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ray.tune import Callback
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler
from ray.tune.search import Searcher

from seqlab.sweeps.journal import Trial
from seqlab.sweeps.spec import SweepSpec
from seqlab.sweeps.trainable import EPOCH, SCORE

if TYPE_CHECKING:
    from seqlab.sweeps.progress import Progress

_EPOCHS = 10_000
"""More than any trial has: a scheduler must not end a training that ends itself."""


class SweepSearch(Searcher):
    """Gives Ray Tune the sweep's jobs, and the sweep what Ray Tune reports.

    The state is the sweep's folder, so what Ray saves of it is empty.
    """

    def __init__(self, progress: Progress, *, mode: str) -> None:
        super().__init__(metric=SCORE, mode=mode)
        self.progress = progress
        self.numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        job = self.progress.next_job()
        if job is None:
            return Searcher.FINISHED
        self.numbers[trial_id] = job.number
        return {"job": job}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        self.progress.note(self.numbers[trial_id], result)

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        number, result = self.numbers[trial_id], result or {}
        if error:
            lost = "its process or machine was lost too often"
            self.progress.end(number, status="failed", error=lost)
            return
        self.progress.note(number, result)
        status = result.get("end", "stopped")
        score = result[SCORE] if status == "finished" else None
        self.progress.end(number, status=status, error=result.get("error", ""), score=score)

    def save(self, checkpoint_path: str) -> None:
        return

    def restore(self, checkpoint_path: str) -> None:
        return

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Recoveries(Callback):
    """Notes the trials that start again."""

    def __init__(self, search: SweepSearch) -> None:
        self.search = search

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self.search.progress.retry(self.search.numbers[trial.trial_id])


@dataclass(frozen=True)
class _PastTrial:
    """Stands for a trial of an earlier process of the sweep."""

    trial_id: str


def make_scheduler(spec: SweepSpec, trials: Sequence[Trial]) -> TrialScheduler:
    """Return the rule that stops trials, which knows the scores of the trials that have ended."""
    settings: dict[str, Any] = {"time_attr": EPOCH, "metric": SCORE, "mode": spec.mode}
    if spec.stop_early is None:
        return FIFOScheduler()
    if spec.stop_early == "asha":
        scheduler = ASHAScheduler(
            **settings, grace_period=spec.grace_epochs, max_t=_EPOCHS, reduction_factor=3
        )
    else:  # a trial is never paused, which would need a checkpoint of Ray's
        scheduler = MedianStoppingRule(
            **settings, grace_period=spec.grace_epochs, min_time_slice=float("inf")
        )
    for trial in trials:
        if trial.status in ("finished", "stopped"):
            past = _PastTrial(f"past-{trial.number}")
            scheduler.on_trial_add(None, past)
            for epoch, score in trial.scores:
                action = scheduler.on_trial_result(None, past, {EPOCH: epoch, SCORE: score})
                if action == TrialScheduler.STOP:
                    break
    return scheduler
