"""The content of an MLflow run: one run per task and training, which evaluate and export resume."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.credentials import without_credentials
from seqlab.errors import SeqlabError
from seqlab.params import Params, TaskParams
from seqlab.params_file import parse_params_text
from seqlab.tracking.figures import confusion_figure, learning_curve_figure, span_scores_figure
from seqlab.tracking.provenance import NONE, committed_text, provenance_tags
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.run_names import as_params, changed_settings, previous_params, run_name
from seqlab.tracking.scored_version import SCORES
from seqlab.tracking.source_patch import MAX_BYTES, PATCH, describe_patch, source_patch
from seqlab.tracking.store import experiment_name
from seqlab.tracking.ui_server import save_runs_view

_TRAIN_METRICS = ("train_loss", "learning_rate", "padding_efficiency", "duration_s")
_PLOTS = "plots"

PARENT_RUN = "mlflow.parentRunId"
TRIAL = "sweep.trial"
WEIGHTS = "weights.digest"
LOCK = "dvc.lock"


@dataclass(frozen=True)
class TrialRecord:
    """What the run of a sweep's trial says of the sweep, and of the sources, which a worker does not have.

    Args:
        sweep: the sweep's name.
        number: the trial's number.
        parent_run_id: the sweep's own run.
        run_name: the run's name.
        git: the tags of `git_tags`.
        patch: the output of `source_patch` with the trial's parameters.
    """

    sweep: str
    number: int
    parent_run_id: str
    run_name: str
    git: Mapping[str, str]
    patch: bytes | None

    @property
    def identity(self) -> dict[str, str]:
        """The tags that no other run has: a trial that is tried again goes on in the same run."""
        return {PARENT_RUN: self.parent_run_id, TRIAL: str(self.number)}


def start_training_run(
    task: str,
    *,
    params: Params,
    corpus: Mapping[str, Any],
    root: Path,
    run_json: Path | None = None,
    trial: TrialRecord | None = None,
) -> TrackedRun:
    """Start the run of a training, with its parameters, datasets and provenance.

    Its artifacts `git.patch` and `dvc.lock` are what `seqlab reproduce` needs besides the commit. If the
    training goes on after an interruption, all of it is written to the same run again, with equal values.

    Args:
        task: the task's name.
        params: all parameters.
        corpus: the content of corpus.json, which the prepare stage wrote.
        root: the repository's root, where the store is by default.
        run_json: names the run of an interrupted training, if the file exists.
        trial: the training is a trial of a sweep. Its data is not that of `dvc.lock`, which is left out.

    Raises:
        SeqlabError: the tracking store cannot be reached; nothing has been trained yet.
    """
    section = params.task(task)
    settings = {**run_settings(task, params), "corpus": corpus["corpus"]}
    provenance = provenance_tags(
        root, stages=[] if trial else ["download", f"prepare@{task}"], seed=params.seed, device=params.device
    )
    if trial:
        source = {"mlflow.source.name": "seqlab sweep", "sweep": trial.sweep}
        provenance = {**provenance, **trial.git, **source}
    if run_json and run_json.exists():
        run = TrackedRun.reopen(root=root, run_json=run_json)
    else:
        run = TrackedRun.start(
            root=root,
            experiment=experiment_name(task),
            run_name=trial.run_name
            if trial
            else _run_name(task, settings, root=root, commit=provenance["git.commit"]),
            identity=trial.identity if trial else None,
        )
    patch = trial.patch if trial else source_patch()
    if patch and len(patch) <= MAX_BYTES:
        run.log_bytes(patch, PATCH)
    if (lock := Path(LOCK)).exists() and not trial:
        run.log_bytes(without_credentials(lock.read_text(encoding="utf-8")).encode(), LOCK)
    run.set_tags(
        {
            **provenance,
            PATCH: describe_patch(patch),
            "task": task,
            "corpus": _corpus_label(corpus),
            "corpus.digest": corpus["digest"],
            "corpus.licence": corpus["licence"],
            "corpus.auxiliary_columns": ", ".join(corpus["auxiliary_columns"]) or "none",
            "corpus.synthetic": str(corpus["synthetic"]).lower(),
            **{f"pretrained.{name}": value for name, value in (corpus.get("pretrained") or {}).items()},
            "mlflow.note.content": _note(task, section, corpus),
        }
    )
    run.log_params(settings)
    for split, counts in corpus["splits"].items():
        run.log_dataset(
            name=f"{corpus['corpus']}-{split}",
            digest=corpus["digest"],
            source=corpus["title"] or corpus["corpus"],
            profile={
                "sentences": counts["sentences"],
                "tokens": counts["tokens"],
                "synthetic": corpus["synthetic"],
            },
            context=split,
        )
    return run


def log_epoch(run: TrackedRun, row: Mapping[str, float]) -> None:
    """Log a row of the history as `train/...` and `dev/...`. The step is the epoch, the time is its end."""
    names = [name for name in row if name not in ("epoch", "steps", "tokens", "ended_ms")]
    # MLflow's page that compares runs opens on the metric that was logged first.
    names.sort(key=lambda name: SCORES.index(name) if name in SCORES else len(SCORES))
    metrics = {
        f"train/{name.removeprefix('train_')}" if name in _TRAIN_METRICS else f"dev/{name}": row[name]
        for name in names
    }
    run.log_metrics(metrics, step=int(row["epoch"]), time_ms=int(row["ended_ms"]))


def log_training(
    run: TrackedRun,
    task: str,
    *,
    summary: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    corpus: Mapping[str, Any],
) -> None:
    """Log execution mode and traces, the weights' digest, the best epoch's scores, and the learning curve."""
    mode = "eager" if summary["run_eagerly"] else "graph"
    run.set_tags(
        {
            "run.device": summary["device"],
            WEIGHTS: summary["weights_digest"],
            "run.execution": f"{mode}{', XLA' if summary['jit_compile'] else ''}",
            "run.strategy": summary["strategy"],
            "run.replicas": summary["replicas"],
            "run.training_traces": summary["training_traces"],
            "run.batch_shapes": summary["batch_shapes"],
        }
    )
    run.log_metrics({f"best_dev/{name}": value for name, value in summary["dev"].items()})
    names = ["best_epoch", "parameters", "rows_dropped_per_epoch", "duration_s", "tokens_per_s"]
    if summary.get("parameters_frozen"):
        names.append("parameters_frozen")
    run.log_metrics({f"training/{name}": summary[name] for name in names})
    run.log_dict(summary, "training.json")
    run.log_figure(learning_curve_figure(history, title=_title(task, corpus)), f"{_PLOTS}/learning_curve.png")


def record_evaluation(
    task: str,
    evaluated: Any,
    *,
    corpus: Mapping[str, Any],
    root: Path,
    run_json: Path,
    metrics: Path,
    predictions: Path,
) -> None:
    """Resume the training's run and log scores, plots, the report and the predictions.

    Args:
        task: the task's name.
        evaluated: the `EvaluatedTask`.
        corpus: the content of corpus.json.
        root: the repository's root.
        run_json: the file that names the run.
        metrics: the folder of evaluate.json.
        predictions: the folder of dev.conll and test.conll.
    """
    title = _title(task, corpus)
    with TrackedRun.resume(root=root, run_json=run_json) as run:
        for split, scores in evaluated.scores.items():
            group = "test" if split == "test" else f"best_{split}"
            run.log_metrics(
                {f"{group}/{name}": value for name, value in scores.items() if isinstance(value, float)}
            )
        per_type = evaluated.scores["test"].get("per_type", {})
        run.log_metrics({f"test_span_f1/{name}": row["span_f1"] for name, row in per_type.items()})
        run.log_artifact(metrics / "evaluate.json")
        run.log_artifact(metrics / "errors.html")
        for file in sorted(predictions.glob("*.conll")):
            run.log_artifact(file, "predictions")
        run.log_figure(confusion_figure(evaluated.confusion, title=title), f"{_PLOTS}/confusion.png")
        bars = _by_group(evaluated.bars, key="entity_type" if per_type else "tag")
        run.log_figure(span_scores_figure(bars, title=title), f"{_PLOTS}/scores.png")


def save_view(task: str, *, section: TaskParams, root: Path) -> str:
    """Save the columns in which a task's runs compare best; return the view's address below the server's."""
    score = "span_f1" if section.tag_scheme is not None else "token_accuracy"
    return save_runs_view(
        root,
        experiment_name(task),
        metrics=[f"best_dev/{score}", f"test/{score}", "test/unseen_token_accuracy", "training/best_epoch"],
        params=["encoder.type", "head.type", "training.learning_rate", "seed"],
        tags=["corpus", "dvc.exp_name", "git.commit"],
        order_by=f"best_dev/{score}",
        curves=[f"dev/{score}", "train/loss"],
    )


def run_settings(task: str, params: Params) -> dict[str, Any]:
    """Return the parameters that a task's run has."""
    # This parameter cannot change the result, and may differ in the training that goes on.
    section = params.task(task).model_dump(mode="json", exclude={"training": {"checkpoint_minutes"}})
    return {"seed": params.seed, "corpus": params.corpus.name, **section}


def settings_in(text: str, task: str) -> dict[str, str] | None:
    """Return the parameters in the text of a params.yaml as a run of the task has them.

    None if this code cannot read them: they were written for other code, or the task has no section.
    """
    try:
        return as_params(run_settings(task, parse_params_text(text, where="params.yaml")))
    except SeqlabError:
        return None


def _run_name(task: str, settings: Mapping[str, Any], *, root: Path, commit: str) -> str:
    """Return a name with the experiment or commit, and what differs from the commit or else the last run."""
    committed = settings_in(committed_text("params.yaml") or "", task) or {}  # experiments change them
    changes = changed_settings(settings, committed)
    if not changes:
        changes = changed_settings(settings, previous_params(root, experiment_name(task)))
    prefix = os.environ.get("DVC_EXP_NAME") or ("" if commit == NONE else commit[:7])
    return run_name(prefix, changes, default=f"{settings['encoder']['type']}-{settings['head']['type']}")


def _by_group(bars: Sequence[Mapping[str, Any]], *, key: str) -> list[dict[str, Any]]:
    """Turn one row per bar into one row per entity type or tag, with a column per measure."""
    rows: dict[str, dict[str, Any]] = {}
    for bar in bars:
        row = rows.setdefault(bar["group"], {key: bar["group"], "gold": bar["gold"]})
        row[bar["measure"]] = bar["value"]
    return list(rows.values())


def _corpus_label(corpus: Mapping[str, Any]) -> str:
    return f"{corpus['corpus']}{' (synthetic)' if corpus['synthetic'] else ''}"


def _title(task: str, corpus: Mapping[str, Any]) -> str:
    return f"{task} on {_corpus_label(corpus)}"


def _note(task: str, section: TaskParams, corpus: Mapping[str, Any]) -> str:
    train = corpus["splits"]["train"]
    lines = [
        f"**{task}**: {section.encoder.type} encoder, {section.head.type} head, column `{section.column}`.",
        "",
        f"Corpus `{corpus['corpus']}`: {corpus['title']} ({train['sentences']:,} training sentences).",
    ]
    if corpus["synthetic"]:
        lines += ["", "**The corpus is synthetic: scores on it say nothing about real text.**"]
    return "\n".join(lines)
