"""The state of a sweep that runs: what is next, what has ended, and what the user reads of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.errors import SeqlabError
from seqlab.pipeline.record import TrialRecord
from seqlab.sweeps.applying import text_with
from seqlab.sweeps.data import data_key, downloads_folder, prepare_data
from seqlab.sweeps.journal import Status, SweepFolder, Trial, best_trial
from seqlab.sweeps.outcome import short_names
from seqlab.sweeps.search import suggest
from seqlab.sweeps.spec import CheckedSweep
from seqlab.tracking.provenance import git_tags
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.run_names import as_params, run_name
from seqlab.tracking.source_patch import source_patch

if TYPE_CHECKING:
    from seqlab.sweeps.trainable import Job


@dataclass
class Progress:
    """The sweep as it runs: gives jobs to Ray Tune, and notes what comes back."""

    sweep: CheckedSweep
    folder: SweepFolder
    root: Path
    parent: TrackedRun
    report: Callable[[str], None]

    def __post_init__(self) -> None:
        self.waiting = [trial.number for trial in self.folder.trials if not trial.is_done]
        self._started = time.monotonic()
        self._trial_started: dict[int, tuple[float, float]] = {}
        self._ended_here = 0

    def remaining(self) -> int:
        """Return how many trials have not ended."""
        return self.sweep.spec.num_trials - sum(trial.is_done for trial in self.folder.trials)

    def next_job(self) -> Job | None:
        """Return the next trial as a job: an interrupted one, else a new one; None if there are no more.

        A new one whose values cannot be together, or whose data cannot be prepared, is noted as failed.
        """
        while True:
            if self.waiting:
                trial = self.folder.trials[self.waiting.pop(0)]
            elif len(self.folder.trials) < self.sweep.spec.num_trials:
                values = suggest(self.sweep.spec, self.folder.trials)
                trial = self.folder.save(Trial(number=len(self.folder.trials), values=values))
            else:
                return None
            try:
                job = self._job(trial)
            except SeqlabError as error:
                self.end(trial.number, status="failed", error=str(error))
                continue
            self._trial_started[trial.number] = (time.monotonic(), trial.duration_s)
            return job

    def _job(self, trial: Trial) -> Job:
        from seqlab.sweeps.trainable import Job

        spec, params = self.sweep.spec, self.sweep.params_of(trial.values)
        prepare_data(self.folder.path / "data", params, spec.task, downloads=downloads_folder(self.root))
        text = text_with(self.sweep.base_text, trial.values, where="params.yaml")
        changes = as_params(dict(zip(short_names(trial.values), trial.values.values(), strict=True)))
        record = TrialRecord(
            sweep=spec.name,
            number=trial.number,
            parent_run_id=self.parent.run_id,
            run_name=run_name(f"{spec.name}-{trial.number}", changes, default=""),
            git=git_tags(self.root),
            patch=source_patch(text),
        )
        (self.folder.trial_folder(trial.number) / "params.yaml").write_text(text, encoding="utf-8")
        return Job(trial.number, text, data_key(params, spec.task), record)

    def note(self, number: int, result: Mapping[str, Any]) -> None:
        """Note an epoch of a trial, or its own end."""
        trial = self.folder.trials[number]
        scores = list(trial.scores)
        if "score" in result:
            epoch, score = int(result["epoch"]), float(result["score"])
            scores = [row for row in scores if row[0] < epoch]
            if scores and "end" not in result:  # a trial that goes on reports the best of its new epochs
                score = (max if self.sweep.spec.mode == "max" else min)(score, scores[-1][1])
            scores.append((epoch, score))
        self.folder.change(
            number,
            scores=scores,
            run_id=result.get("run_id") or trial.run_id,
            duration_s=self._duration(number),
        )

    def retry(self, number: int) -> None:
        """Note that a trial starts again because its process or machine was lost."""
        trial = self.folder.trials[number]
        self.folder.change(number, attempts=trial.attempts + 1)
        self.report(f"trial {number}: its process or machine was lost; it starts again")

    def end(self, number: int, *, status: Status, error: str = "", score: float | None = None) -> None:
        """Note the end of a trial, and report it with the sweep's progress."""
        trial = self.folder.change(
            number, status=status, error=error, score=score, duration_s=self._duration(number)
        )
        self._ended_here += 1
        metric, spec = self.sweep.spec.metric, self.sweep.spec
        if status == "failed":
            what = f"failed: {error.splitlines()[0] if error else 'unknown'}"
        else:
            last = trial.scores[-1] if trial.scores else (0, float("nan"))
            shown = last[1] if score is None else score
            how = " stopped early," if status == "stopped" else ""
            what = f"{how} {metric} {shown:.4f}, {last[0]} epoch{'' if last[0] == 1 else 's'}".strip()
        done = sum(trial.is_done for trial in self.folder.trials)
        best = best_trial(self.folder.trials, mode=spec.mode)
        best_text = f"; best {best.score:.4f} (trial {best.number})" if best else ""
        left = f"; about {_time_text(self._left_s())} left" if done < spec.num_trials else ""
        self.report(f"trial {number}: {what} | {done} of {spec.num_trials} done{best_text}{left}")
        if best:
            self.parent.log_metrics({"best_dev": {metric: best.score}}, step=done)

    def _left_s(self) -> float:
        return (time.monotonic() - self._started) / max(self._ended_here, 1) * self.remaining()

    def _duration(self, number: int) -> float:
        started, before = self._trial_started.get(number, (time.monotonic(), 0.0))
        return round(before + time.monotonic() - started, 1)


def _time_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
