"""Train a run again from its commit, its changes and its data, and compare both runs.

The training takes place in a Git worktree of its own, with the run's code, in processes of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from seqlab.errors import SeqlabError
from seqlab.params_file import load_params
from seqlab.pipeline.record import LOCK, run_settings
from seqlab.pipeline.report_blocks import Block
from seqlab.pipeline.reproduction_report import INPUTS, UNKNOWN, compare_runs
from seqlab.tracking.past_runs import PastRun, find_experiment_runs, find_model_run, find_run, read_artifact
from seqlab.tracking.provenance import (
    NONE,
    git_output,
    locked_stages,
    processor,
    threads,
    version_tags,
)
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.run_names import as_params
from seqlab.tracking.source_patch import PATCH, SOURCES
from seqlab.tracking.store import STATE, resolve_tracking_uri

REPRODUCES = "reproduces"
REPRODUCTION = "reproduction"

_MACHINE = ("version.", "run.processor", "run.threads")
_GIT_VARIABLES = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX")


def reproduce_run(
    reference: str,
    *,
    root: Path,
    task: str | None = None,
    folder: Path | None = None,
    tolerance: float,
    report: Callable[[str], None] = print,
) -> tuple[list[Block], bool]:
    """Train and evaluate a run again, log it as a run of its own, and compare both.

    The new run has the tags `reproduces`, the original run's id, and `reproduction`, the result.

    Args:
        reference: a run's id or its start, the name of a DVC experiment, or `models:/NAME/VERSION`.
        root: the repository's root, whose store and DVC cache are used.
        task: chooses among an experiment's runs.
        folder: of the worktree; by default `.seqlab/reproduce/<id>`, where an earlier one is replaced.
        tolerance: by which scores may differ where equal weights are not promised.
        report: takes lines on the progress.

    Returns:
        The comparison, and whether the run was reproduced.

    Raises:
        SeqlabError: there is no such run, it cannot be made again from what is known of it, or a stage fails.
    """
    run = find_original(reference, root=root, task=task)
    task = run.tags["task"]
    patch = _required_patch(run, root)
    tree = _make_worktree(run, root=root, folder=folder)
    report(f"run {run.run_id[:12]} ({run.name}), commit {run.tags['git.commit'][:10]}, in {tree}")
    if patch:
        _apply(patch, run, tree)
    work = tree / (git_output(root, "rev-parse", "--show-prefix") or "")
    _check_params(run, task, work)
    present = {**version_tags(), "run.processor": processor(), "run.threads": str(threads())}
    for key, name in INPUTS.items():
        if key.startswith(_MACHINE) and run.tags.get(key, present[key]) != present[key]:
            report(f"{name}: {present[key]} instead of {run.tags[key]}: equal weights are not promised")
    _share_cache(root, work)
    if lock := read_artifact(root, run.run_id, LOCK):
        (work / LOCK).write_bytes(lock)
    environment = _environment(root)
    _restore_data(run, task, work, environment, report)
    run_json = work / "models" / task / "run.json"
    run_json.unlink(missing_ok=True)
    try:
        stages = (f"train@{task}", f"evaluate@{task}")
        _dvc(work, environment, "repro", "--quiet", "--single-item", "--force", *stages)
    finally:
        if run_json.exists():
            with TrackedRun.resume(root=root, run_json=run_json) as tracked:
                tracked.set_tags({REPRODUCES: run.run_id})
    again = find_run(root, tracked.run_id)
    if again is None:
        raise SeqlabError(
            "the store does not contain the new run",
            where=tracked.run_id,
            remedy=f"run `seqlab replay` in {work}, then compare both with `seqlab compare`",
        )
    blocks, outcome, is_reproduced = compare_runs(run, again, present=present, tolerance=tolerance)
    with TrackedRun.resume(root=root, run_json=run_json) as tracked:
        tracked.set_tags({REPRODUCTION: outcome})
    return blocks, is_reproduced


def find_original(reference: str, *, root: Path, task: str | None) -> PastRun:
    """Return the finished run that a reference names.

    Raises:
        SeqlabError: there is none, or an experiment has runs of several tasks.
    """
    if reference.startswith("models:/"):
        run = find_model_run(root, reference)
    elif (run := find_run(root, reference)) is None:
        runs = find_experiment_runs(root, reference)
        tasks = {found.tags.get("task", "") for found in runs} if task is None else {task}
        if len(tasks) > 1:
            raise SeqlabError(
                "the experiment has runs of several tasks",
                where=reference,
                received=", ".join(sorted(tasks)),
                remedy="name one with --task",
            )
        run = next((found for found in runs if found.tags.get("task") in tasks), None)
    if run is None or "task" not in run.tags:
        raise SeqlabError(
            "there is no such run",
            where=reference,
            expected="a run's id, a DVC experiment's name, or models:/NAME/VERSION",
            remedy="list the runs with `make ui`; set MLFLOW_TRACKING_URI if they are in another store",
        )
    if run.status != "FINISHED":
        raise SeqlabError(
            "the run has no result to compare with",
            where=f"run {run.run_id[:12]} ({run.name})",
            expected="status FINISHED",
            received=run.status,
            remedy="reproduce a run that has finished; `dvc repro` resumes an interrupted training",
        )
    return run


def _required_patch(run: PastRun, root: Path) -> bytes | None:
    """Return the run's patch; None if its sources were those of the commit."""
    if patch := read_artifact(root, run.run_id, PATCH):
        return patch
    tag, changed = run.tags.get(PATCH, NONE), run.tags.get("git.dirty_files", "").split(", ")
    lost = [name for name in changed if name in SOURCES or name.startswith(("src/", "and "))]
    if tag != NONE or lost:
        raise SeqlabError(
            "the run was made with uncommitted changes that it does not contain",
            where=f"run {run.run_id[:12]} ({run.name})",
            expected=f"a clean tree, or the artifact {PATCH}",
            received=", ".join(lost) or f"{PATCH}: {tag}",
            remedy="it cannot be reproduced; commit changes before a training that matters",
        )
    return None


def _make_worktree(run: PastRun, *, root: Path, folder: Path | None) -> Path:
    commit, where = run.tags.get("git.commit", NONE), f"run {run.run_id[:12]} ({run.name})"
    if commit == NONE:
        raise SeqlabError(
            "the run has no commit",
            where=where,
            received="it was trained outside a Git repository",
            remedy="train in a Git repository, so that runs can be reproduced",
        )
    if git_output(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise SeqlabError(
            "this clone does not contain the run's commit",
            where=where,
            expected=f"commit {commit} on branch {run.tags.get('git.branch', UNKNOWN)}",
            remedy="run `git fetch`; if the commit was never pushed, push it from where the run was made",
        )
    tree = (folder or root / STATE / "reproduce" / run.run_id[:12]).absolute()
    if tree.exists() and (folder is None or not any(tree.iterdir())):
        _git(root, "worktree", "remove", "--force", str(tree)) if (tree / ".git").is_file() else tree.rmdir()
    elif tree.exists():
        raise SeqlabError(
            "the folder is not empty",
            where=str(tree),
            remedy=f"name another one with --folder, or run `git worktree remove --force {folder}`",
        )
    # Hooks, such as those of `dvc install`, would check out data before the cache is known.
    options = ("--force", "--detach", "--quiet")
    _git(root, "-c", "core.hooksPath=/dev/null", "worktree", "add", *options, str(tree), commit)
    return tree


def _apply(patch: bytes, run: PastRun, tree: Path) -> None:
    try:
        _git(tree, "apply", "--whitespace=nowarn", "-", stdin=patch)
    except SeqlabError as error:
        raise SeqlabError(
            "the run's changes do not apply to its commit",
            where=f"the artifact {PATCH} of run {run.run_id[:12]} ({run.name})",
            received=error.received,
            remedy="credentials are removed from patches; restore them in a copy, and train by hand",
        ) from error


def _share_cache(root: Path, work: Path) -> None:
    """Give the worktree the DVC cache and the local settings of the repository."""
    from dvc.config import Config, merge

    config = Config(str(root / ".dvc"))
    with Config(str(work / ".dvc")).edit("local") as local:
        merge(local, config.load_one("local"))
        local["cache"]["dir"] = config["cache"].get("dir") or str(root / ".dvc" / "cache")


def _environment(root: Path) -> dict[str, str]:
    """Return variables for DVC: this Python's programs first, the repository's store, and no other run."""
    unwanted = ("DVC_EXP", "DVC_STAGE", "DVC_ROOT", *_GIT_VARIABLES)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "MLFLOW_TRACKING_URI": resolve_tracking_uri(root)}


def _restore_data(
    run: PastRun, task: str, work: Path, environment: Mapping[str, str], report: Callable[[str], None]
) -> None:
    """Take the prepared data from DVC's cache or remote, or make it again; it must be the run's.

    Raises:
        SeqlabError: the data cannot be had, or is other data.
    """
    prepared = f"data/prepared/{task}"
    recorded, files = (
        _locked(work, f"prepare@{task}", "outs").get(prepared),
        _locked(work, "download", "deps"),
    )
    is_recorded = recorded is not None and recorded == run.tags.get(f"dvc.out.{prepared}")
    if is_recorded and _is_pulled(work, environment, f"prepare@{task}"):
        report("data: from DVC's cache or remote")
    else:
        report("data: neither in DVC's cache nor in its remote; it is made again")
        try:
            _dvc(work, environment, "repro", "--quiet", f"prepare@{task}")
        except SeqlabError as error:
            raise SeqlabError(
                "the run's data is not available",
                where=str(work),
                received="neither DVC's cache nor its remote has it, and it cannot be made again (see above)",
                remedy="run `dvc push` where the run was made; if params.yaml names files relative to the "
                "repository, give --folder a folder beside it",
            ) from error
    corpus = json.loads((work / prepared / "corpus.json").read_text(encoding="utf-8"))
    if corpus["digest"] != run.tags.get("corpus.digest"):
        now = _locked(work, "download", "deps")
        changed = [path for path, md5 in now.items() if files.get(path, md5) != md5]
        raise SeqlabError(
            "the corpus differs from that of the run",
            where=", ".join(changed) or corpus["corpus"],
            expected=f"corpus digest {run.tags.get('corpus.digest', UNKNOWN)[:12]}",
            received=corpus["digest"][:12],
            remedy="restore the corpus's files as they were, or run `dvc push` where the run was made",
        )


def _check_params(run: PastRun, task: str, work: Path) -> None:
    """Raise if the worktree's parameters are not the run's, as far as this code can read them."""
    try:
        params = load_params(work / "params.yaml")
    except SeqlabError:  # for other code
        return
    found = as_params(run_settings(task, params))
    different = [key for key in found if run.params.get(key, found[key]) != found[key]]
    if different:
        raise SeqlabError(
            "the parameters of the run differ from those of its commit and changes",
            where=f"run {run.run_id[:12]} ({run.name})",
            expected=", ".join(f"{key}: {run.params[key]}" for key in different),
            received=", ".join(f"{key}: {found[key]}" for key in different),
            remedy="the run belongs to a DVC experiment whose changes it does not contain: "
            "run `dvc exp apply`, and train again",
        )


def _locked(work: Path, stage: str, kind: str) -> dict[str, str]:
    """Return the MD5 of a stage's `deps` or `outs` in dvc.lock, by path."""
    entries = (locked_stages(work / LOCK).get(stage) or {}).get(kind, [])
    return {entry["path"]: entry.get("md5", "") for entry in entries}


def _is_pulled(work: Path, environment: Mapping[str, str], stage: str) -> bool:
    done = _run_dvc(work, environment, "pull", "--quiet", stage, capture_output=True)
    return done.returncode == 0


def _dvc(work: Path, environment: Mapping[str, str], *arguments: str) -> None:
    """Run DVC, whose output is shown.

    Raises:
        SeqlabError: it fails.
    """
    if _run_dvc(work, environment, *arguments).returncode:
        command = f"dvc {' '.join(arguments)}"
        raise SeqlabError(
            "a stage failed (see above)", where=str(work), remedy=f"run `{command}` there to look into it"
        )


def _run_dvc(
    work: Path, environment: Mapping[str, str], *arguments: str, capture_output: bool = False
) -> subprocess.CompletedProcess[bytes]:
    sys.stdout.flush()
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=work, env=dict(environment), capture_output=capture_output)


def _git(folder: Path, *arguments: str, stdin: bytes | None = None) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_VARIABLES}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, input=stdin, capture_output=True)
    if done.returncode:
        raise SeqlabError(
            f"git {next(word for word in arguments if word.isalpha())} failed",
            where=str(folder),
            received=done.stderr.decode(errors="replace").strip(),
        )
