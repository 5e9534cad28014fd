"""Score one task's tagger on dev and test."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from seqlab.atomic import write_csv, write_json
from seqlab.evaluation.error_page import write_error_page
from seqlab.modeling.device import select_device
from seqlab.params_file import load_params
from seqlab.pipeline.record import record_evaluation
from seqlab.stages import repository_root, run_stage, task_folders
from seqlab.tracking.run import read_run_json

logger = logging.getLogger("seqlab.stages")


def evaluate(task: str) -> None:
    """Write data/predictions/TASK and the files of metrics/TASK that dvc.yaml names."""
    params = load_params()
    logger.info("loading the %s tagger", task)
    select_device("cpu" if params.device == "cpu" else "auto")
    # Imported after `select_device`, which imports TensorFlow without its start-up messages.
    from seqlab.pipeline.evaluating import evaluate_task

    prepared, models, metrics = task_folders(task)
    predictions = Path("data/predictions") / task
    evaluated = evaluate_task(
        prepared, models / "model.keras", predictions, task=params.task(task), seed=params.seed
    )
    run = read_run_json(models / "run.json")
    write_json(metrics / "evaluate.json", {**evaluated.scores, "run_id": run["run_id"]})
    write_json(metrics / "scores.json", {task: evaluated.main_scores})
    write_csv(metrics / "scores.csv", evaluated.bars)
    write_csv(metrics / "confusion.csv", evaluated.confusion)
    corpus = json.loads((prepared / "corpus.json").read_text(encoding="utf-8"))
    write_error_page(metrics / "errors.html", evaluated.errors, title=f"{task} on {corpus['corpus']}")
    record_evaluation(
        task,
        evaluated,
        corpus=corpus,
        root=repository_root(),
        run_json=models / "run.json",
        metrics=metrics,
        predictions=predictions,
    )
    for split, scores in evaluated.scores.items():
        shown = [name for name in ("span_f1", "token_accuracy") if name in scores]
        logger.info("%s %s: %s", task, split, ", ".join(f"{name} {scores[name]:.4f}" for name in shown))


if __name__ == "__main__":
    sys.exit(run_stage(evaluate, "task"))
