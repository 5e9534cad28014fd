"""The MLflow run of each task in a checkout, and what in the checkout is not from that run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqlab.credentials import without_credentials
from seqlab.params import Params
from seqlab.params_file import load_params
from seqlab.pipeline.record import run_settings
from seqlab.tracking.past_runs import PastRun, find_replacement, find_run
from seqlab.tracking.provenance import NONE, git_output, lock_tags, locked_stages
from seqlab.tracking.run import read_run_json
from seqlab.tracking.run_names import as_params
from seqlab.tracking.scored_version import SCORES
from seqlab.tracking.store import resolve_tracking_uri

_SHOWN = 4
_CODE = ("src", "dvc.yaml")


@dataclass
class CheckoutRun:
    """A task's run.

    Args:
        task: the task's name.
        run_id: the one in `models/<task>/run.json`; empty without that file.
        run: the run in the store.
        problems: what in the checkout is not from the run.
        notes: what a reader of its scores should know.
    """

    task: str
    run_id: str = ""
    run: PastRun | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def checkout_runs(root: Path) -> list[CheckoutRun]:
    """Look up the run of each task of params.yaml, and compare it with the checkout.

    Raises:
        SeqlabError: params.yaml or a run.json is invalid, or the store cannot be used.
    """
    params = load_params(root / "params.yaml")
    stages = locked_stages(root / "dvc.lock")
    return [_run_of(task, root=root, params=params, stages=stages) for task in params.tasks]


def _run_of(task: str, *, root: Path, params: Params, stages: Mapping[str, Any]) -> CheckoutRun:
    found = CheckoutRun(task)
    run_json = f"models/{task}/run.json"
    locked = {out["path"]: out.get("md5") for out in stages.get(f"train@{task}", {}).get("outs", [])}
    if not (root / run_json).exists():
        stands = f"dvc.lock has train@{task}: run `dvc pull`" if run_json in locked else "run `dvc repro`"
        found.problems.append(f"{run_json} is missing; {stands}")
        return found
    found.run_id = read_run_json(root / run_json)["run_id"]
    md5 = hashlib.md5((root / run_json).read_bytes(), usedforsecurity=False).hexdigest()
    if run_json not in locked:
        found.problems.append(f"dvc.lock has no train@{task}: run `dvc repro`")
    elif md5 != locked[run_json]:
        found.problems.append(f"{run_json} is not the one of dvc.lock: run `dvc checkout`")
    found.run = find_run(root, found.run_id) or find_replacement(root, found.run_id)
    if found.run is None:
        store = without_credentials(resolve_tracking_uri(root))
        found.problems.append(
            f"the store {store} does not contain the run: set MLFLOW_TRACKING_URI to the store that does"
        )
        return found
    if found.run.run_id != found.run_id:
        found.notes.append(f"the store does not contain the run; run {found.run.run_id[:12]} replaces it")
    else:
        found.problems += _differing_settings(found.run, params, task)
        found.problems += _differing_stages(found.run, root, task)
        found.notes += _code_notes(found.run, root)
    found.problems += _differing_scores(found.run, root / "metrics" / task)
    if found.run.status != "FINISHED":
        found.problems.append(f"the run is {found.run.status}")
    return found


def _differing_settings(run: PastRun, params: Params, task: str) -> list[str]:
    settings = as_params(run_settings(task, params))
    differing = [key for key in {**settings, **run.params} if settings.get(key) != run.params.get(key)]
    shown = [
        f"{key} is {settings.get(key, 'absent')} (run: {run.params.get(key, 'absent')})"
        for key in differing[:_SHOWN]
    ]
    more = [f"{len(differing) - _SHOWN} more"] if len(differing) > _SHOWN else []
    return [f"params.yaml differs: {', '.join(shown + more)}"] if differing else []


def _differing_stages(run: PastRun, root: Path, task: str) -> list[str]:
    now = lock_tags(root / "dvc.lock", ["download", f"prepare@{task}"])
    differing = [
        key.removeprefix("dvc.out.")
        for key, md5 in now.items()
        if key.startswith("dvc.out.") and run.tags.get(key, md5) != md5
    ]
    corpus = _read_json(root / "metrics" / task / "corpus.json").get("digest")
    if corpus and corpus != run.tags.get("corpus.digest", corpus):
        differing.append(f"the corpus (digest {corpus[:12]}, run: {run.tags['corpus.digest'][:12]})")
    return [f"the run was trained on other data: {', '.join(differing)}"] if differing else []


def _differing_scores(run: PastRun, metrics: Path) -> list[str]:
    test = _read_json(metrics / "evaluate.json").get("test", {})
    for name in SCORES:
        if name in test and abs(test[name] - run.metrics.get(f"test/{name}", -1.0)) > 1e-9:
            received = run.metrics.get(f"test/{name}")
            has = "none" if received is None else f"{received:.4f}"
            return [f"{metrics.name}'s evaluate.json has {name} {test[name]:.4f} on test (run: {has})"]
    return [] if test else [f"{metrics.name} has not been evaluated: run `dvc repro`"]


def _code_notes(run: PastRun, root: Path) -> list[str]:
    commit = run.tags.get("git.commit", NONE)
    if commit == NONE:
        return ["the run has no Git commit"]
    notes = []
    if run.tags.get("git.dirty") == "true":
        notes.append(f"trained with uncommitted changes in {run.tags.get('git.dirty_files', 'some files')}")
    changed = git_output(root, "diff", "--name-only", commit, "HEAD", "--", *_CODE)
    if changed is None:
        notes.append(f"commit {commit[:10]} is not in this clone")
    elif changed:
        notes.append(f"the code has changed since commit {commit[:10]}: {len(changed.splitlines())} files")
    return notes


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content if isinstance(content, dict) else {}
