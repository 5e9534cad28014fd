"""A sweep's folder. What its files say survives any death of the process that runs the sweep.

`.seqlab/sweeps/NAME/` contains the spec and the parameters with which the sweep was started, the run that is
its parent in MLflow, prepared data in `data/`, and a folder for each trial with `trial.json`, `params.yaml`,
checkpoints, model and metrics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from seqlab.atomic import replaced_file, write_json
from seqlab.errors import SeqlabError
from seqlab.sweeps.spec import CheckedSweep
from seqlab.tracking.store import STATE

Status = Literal["running", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Trial:
    """A trial, as `trial.json` describes it.

    Args:
        number: from 0.
        values: of the parameters that the sweep varies.
        status: `running` also if the sweep was interrupted.
        scores: (epoch, best dev score so far) of each epoch.
        score: of the model that the trial made.
        run_id: of its MLflow run.
        attempts: 1 and the number of retries.
        error: why it failed.
        duration_s: from its first start.
    """

    number: int
    values: Mapping[str, Any]
    status: Status = "running"
    scores: Sequence[tuple[int, float]] = field(default_factory=list)
    score: float | None = None
    run_id: str = ""
    attempts: int = 1
    error: str = ""
    duration_s: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.status != "running"


def sweeps_folder(root: Path) -> Path:
    """Return the folder of all sweeps of a repository."""
    return root.resolve() / STATE / "sweeps"


class SweepFolder:
    """The folder of a sweep, and its trials, which are written as they change."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = sweeps_folder(root) / name
        self.run_json = self.path / "run.json"
        self.spec_path = self.path / "sweep.yaml"
        self._start_path = self.path / "start.json"
        self.trials = [_read_trial(path) for path in self._trial_files()]

    def start(self, sweep: CheckedSweep) -> bool:
        """Note what the sweep was started with; return whether it was started before.

        Raises:
            SeqlabError: a sweep with this name was started with another space or other parameters.
        """
        spec = sweep.spec.model_dump(
            mode="json", exclude={"trials", "resources", "max_concurrent", "retries"}
        )
        beginning = {"spec": spec, "params": sweep.base}
        if self._start_path.exists():
            former = json.loads(self._start_path.read_text(encoding="utf-8"))
            changed = [name for name in spec if former["spec"].get(name) != spec[name]]
            if former["params"] != json.loads(json.dumps(beginning["params"])):
                changed.append("params.yaml")
            if changed:
                raise SeqlabError(
                    "a sweep with this name was started with other settings",
                    where=str(self.path),
                    expected="the original settings, except trials, resources, max_concurrent and retries",
                    received=f"changed since: {', '.join(changed)}",
                    remedy="give the sweep another `name`, or remove the folder to start again",
                )
            self._write_spec(sweep.text)
            return True
        self._write_spec(sweep.text)
        write_json(self._start_path, beginning)
        return False

    def _write_spec(self, text: str) -> None:
        with replaced_file(self.spec_path) as made:
            made.write_text(text, encoding="utf-8")

    def trial_folder(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.path / "trials" / str(number)

    def save(self, trial: Trial) -> Trial:
        """Write a new trial, or one that has changed, and return it."""
        if trial.number == len(self.trials):
            self.trials.append(trial)
        self.trials[trial.number] = trial
        write_json(self.trial_folder(trial.number) / "trial.json", asdict(trial))
        return trial

    def change(self, number: int, **changes: Any) -> Trial:
        """Change a trial, write it and return it."""
        return self.save(replace(self.trials[number], **changes))

    def _trial_files(self) -> list[Path]:
        """Return the descriptions of the trials in order; a trial is written before the next one is made."""
        files = self.path.glob("trials/*/trial.json")
        return sorted(files, key=lambda path: int(path.parent.name))


def best_trial(trials: Sequence[Trial], *, mode: str) -> Trial | None:
    """Return the finished trial with the best score, the first of equals; None if none has finished."""
    finished = [trial for trial in trials if trial.status == "finished" and trial.score is not None]
    sign = 1 if mode == "max" else -1
    return max(finished, key=lambda trial: sign * (trial.score or 0.0), default=None)


def _read_trial(path: Path) -> Trial:
    content = json.loads(path.read_text(encoding="utf-8"))
    return Trial(**{**content, "scores": [(int(epoch), float(score)) for epoch, score in content["scores"]]})
