"""Score one task's tagger on dev and test."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from seqlab.atomic import write_json
from seqlab.evaluation.tables import write_csv
from seqlab.modeling.device import select_device
from seqlab.params import load_params
from seqlab.pipeline.record import record_evaluation
from seqlab.stages import repository_root, run_stage, say


def evaluate(task: str) -> None:
    """Write data/predictions/<task>, metrics/<task>/{evaluate.json,scores.csv,confusion.csv}; log them."""
    params = load_params()
    say(f"loading the {task} tagger")
    select_device("cpu" if params.device == "cpu" else "auto")
    # Imported only now, since TensorFlow is to start in silence.
    from seqlab.pipeline.evaluating import evaluate_task

    prepared, models, metrics = (Path(top) / task for top in ("data/prepared", "models", "metrics"))
    evaluated = evaluate_task(
        prepared,
        models / "model.keras",
        Path("data/predictions") / task,
        task=params.task(task),
        seed=params.seed,
        say=say,
    )
    write_json(metrics / "evaluate.json", evaluated.scores)
    write_csv(metrics / "scores.csv", evaluated.bars)
    write_csv(metrics / "confusion.csv", evaluated.confusion)
    corpus = json.loads((prepared / "corpus.json").read_text(encoding="utf-8"))
    record_evaluation(
        task, evaluated, corpus=corpus, root=repository_root(), run_json=models / "run.json", metrics=metrics
    )
    for split, scores in evaluated.scores.items():
        shown = [name for name in ("span_f1", "token_accuracy") if name in scores]
        say(f"{task} {split}: " + ", ".join(f"{name} {scores[name]:.4f}" for name in shown))


if __name__ == "__main__":
    sys.exit(run_stage(evaluate, sys.argv[1:], names=("TASK",)))
