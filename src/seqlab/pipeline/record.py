"""What an MLflow run of ours holds: one run per task and training, picked up again by evaluate and export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from seqlab.params import Params, TaskParams
from seqlab.tracking.figures import confusion_figure, learning_curve_figure, span_scores_figure
from seqlab.tracking.provenance import provenance_tags
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.view import save_runs_view

PLOT_FOLDER = "plots"
_TRAIN_COLUMNS = ("train_loss", "learning_rate", "padding_efficiency", "duration_s")


def experiment_name(task: str) -> str:
    """The MLflow experiment of a task's runs."""
    return f"seqlab-{task}"


def curve_rows(history: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """The history as rows of `epoch`, `series`, `value`, which the learning-curve plot draws."""
    leave_out = {"epoch", "steps", "tokens", "duration_s", "padding_efficiency"}
    return [
        {
            "epoch": int(row["epoch"]),
            "series": name if name in _TRAIN_COLUMNS else f"dev {name}",
            "value": value,
        }
        for row in history
        for name, value in row.items()
        if name not in leave_out
    ]


class TrainingRun:
    """The run of a training under way; as a context manager it ends FINISHED, FAILED or KILLED."""

    def __init__(self, run: TrackedRun, *, task: str, corpus: Mapping[str, Any]) -> None:
        self._run, self._task, self._corpus = run, task, corpus

    def epoch(self, row: Mapping[str, float]) -> None:
        """Log a row of the history: `train/...` and `dev/...`, with the epoch as the step."""
        metrics = {
            f"train/{name.removeprefix('train_')}" if name in _TRAIN_COLUMNS else f"dev/{name}": value
            for name, value in row.items()
            if name not in ("epoch", "steps", "tokens")
        }
        self._run.log_metrics(metrics, step=int(row["epoch"]))

    def trained(self, summary: Mapping[str, Any], history: Sequence[Mapping[str, float]]) -> None:
        """Log the proof of graph mode, the best epoch's scores, and the learning curve."""
        mode = "eager" if summary["run_eagerly"] else "graph"
        self._run.set_tags(
            {
                "run.device": summary["device"],
                "run.execution": f"{mode}{', XLA' if summary['jit_compile'] else ''}",
                "run.training_traces": summary["training_traces"],
                "run.batch_shapes": summary["batch_shapes"],
            }
        )
        self._run.log_metrics({f"best_dev/{name}": value for name, value in summary["dev"].items()})
        names = ("best_epoch", "parameters", "rows_dropped_per_epoch", "tokens_per_s")
        self._run.log_metrics({f"training/{name}": summary[name] for name in names})
        self._run.log_dict(summary, "training.json")
        figure = learning_curve_figure(history, title=_title(self._task, self._corpus))
        self._run.log_figure(figure, f"{PLOT_FOLDER}/learning_curve.png")

    def save(self, run_json: Path) -> None:
        """Write the run's id beside the model."""
        self._run.save(run_json)

    def __enter__(self) -> Self:
        self._run.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.__exit__(kind, error, trace)


def start_training_run(task: str, *, params: Params, corpus: Mapping[str, Any], root: Path) -> TrainingRun:
    """Open the run of a training, with parameters, data and provenance.

    Args:
        task: `ner` or `pos`.
        params: all parameters.
        corpus: what prepare wrote in corpus.json.
        root: the repository's root, where the store lies by default.

    Raises:
        SeqlabError: the tracking store cannot be reached; nothing was trained yet.
    """
    section = params.task(task)
    run = TrackedRun.start(
        root=root,
        experiment=experiment_name(task),
        run_name=f"{section.encoder.type}-{section.head.type}",
        tags={
            **provenance_tags(
                root, stages=["download", f"prepare@{task}"], seed=params.seed, device=params.device
            ),
            "task": task,
            "corpus": _corpus_label(corpus),
            "corpus.digest": corpus["digest"],
            "corpus.licence": corpus["licence"],
            "corpus.auxiliary_columns": ", ".join(corpus["auxiliary_columns"]) or "none",
            "corpus.synthetic": str(corpus["synthetic"]).lower(),
            "mlflow.note.content": _note(task, section, corpus),
        },
        params={
            "seed": params.seed,
            "corpus": corpus["corpus"],
            **section.model_dump(mode="json"),
        },
    )
    for split, counts in corpus["splits"].items():
        profile = {key: counts[key] for key in ("sentences", "tokens")}
        run.log_dataset(
            name=f"{corpus['corpus']}-{split}",
            digest=corpus["digest"],
            source=corpus["title"] or corpus["corpus"],
            profile={**profile, "synthetic": corpus["synthetic"]},
            context=split,
        )
    return TrainingRun(run, task=task, corpus=corpus)


def record_evaluation(
    task: str, evaluated: Any, *, corpus: Mapping[str, Any], root: Path, run_json: Path, metrics: Path
) -> None:
    """Pick the training's run up again and log scores, plots and the whole report.

    Args:
        task: `ner` or `pos`.
        evaluated: the `EvaluatedTask`.
        corpus: what prepare wrote in corpus.json.
        root: the repository's root.
        run_json: what `TrainingRun.save` wrote.
        metrics: the folder that holds evaluate.json.
    """
    title = _title(task, corpus)
    with TrackedRun.resume(root=root, run_json=run_json) as run:
        for split, scores in evaluated.scores.items():
            names = [name for name, value in scores.items() if isinstance(value, float)]
            group = "test" if split == "test" else f"best_{split}"
            run.log_metrics({f"{group}/{name}": scores[name] for name in names})
        per_type = evaluated.scores["test"].get("per_type", {})
        run.log_metrics({f"test_span_f1/{name}": row["span_f1"] for name, row in per_type.items()})
        run.log_artifact(metrics / "evaluate.json", "evaluate.json")
        run.log_figure(confusion_figure(evaluated.confusion, title=title), f"{PLOT_FOLDER}/confusion.png")
        run.log_figure(
            span_scores_figure(
                _wide(evaluated.bars, spans="per_type" in evaluated.scores["test"]), title=title
            ),
            f"{PLOT_FOLDER}/scores.png",
        )


def _wide(bars: Sequence[Mapping[str, Any]], *, spans: bool) -> list[dict[str, Any]]:
    """Bars, one row each, as one row per entity type or tag with a column per measure."""
    rows: dict[str, dict[str, Any]] = {}
    for bar in bars:
        row = rows.setdefault(
            bar["group"], {"entity_type" if spans else "tag": bar["group"], "gold": bar["gold"]}
        )
        row[bar["measure"]] = bar["value"]
    return list(rows.values())


def save_view(task: str, *, section: TaskParams, root: Path) -> str:
    """Save the columns in which a task's runs compare best; returns the view's address below the server's."""
    spans = section.tag_scheme is not None
    score = "span_f1" if spans else "token_accuracy"
    return save_runs_view(
        root,
        experiment_name(task),
        metrics=[f"best_dev/{score}", f"test/{score}", "test/unseen_token_accuracy", "training/best_epoch"],
        params=["encoder.type", "head.type", "training.learning_rate", "seed"],
        tags=["corpus", "dvc.exp_name", "git.commit"],
        order_by=f"best_dev/{score}",
    )


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
        lines += ["", "**Synthetic corpus: its scores say nothing about real text.**"]
    return "\n".join(lines)
