"""The cost of `training.deterministic: true`: time per token of the same training, with and without it.

    python benchmarks/determinism.py --name sample
    python benchmarks/determinism.py --name EWT --sentences 2500 --set corpus.name=files \\
        corpus.files.train=ewt/train.conll corpus.files.dev=ewt/dev.conll corpus.files.test=ewt/test.conll

Run it from the root of the repository, on a quiet machine. Each training is a new process on as many cores as
`--threads` says. The two settings take turns, and the one that starts changes with each repeat. The table
shows, as medians over the repeats, the seconds of an epoch without the scoring of dev (the median over all
epochs but the first, which traces), and the ratio of the times per token within a repeat: median (minimum to
maximum).

Results are stored in benchmarks/results/determinism.json by name, task and threads; those of a name are
replaced task by task.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import training
from accuracy import REPOSITORY

RESULTS = REPOSITORY / "benchmarks" / "results" / "determinism.json"
SETTINGS = {"off": "false", "on": "true"}


def main() -> None:
    """Let the two settings take turns, and print a row for each task and number of threads."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", required=True, help="of the corpus, in the results")
    parser.add_argument("--tasks", nargs="+", choices=["ner", "pos"], default=["ner", "pos"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--sentences", type=int, help="of train; all if left out")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="parameters of every run")
    args = parser.parse_args()
    script = str(Path(training.__file__))
    columns = [
        "task",
        "threads",
        "s per epoch, off",
        "on",
        "time per token, on / off",
        "dev score, off",
        "on",
    ]
    print("| " + " | ".join(columns) + " |\n|---|" + "---:|" * (len(columns) - 1), flush=True)
    for task in args.tasks:
        with tempfile.TemporaryDirectory() as folder:
            spec = {
                "task": task,
                "epochs": args.epochs,
                "sentences": args.sentences,
                "tree": str(REPOSITORY),
                "folder": folder,
                "prepared": str(Path(folder) / "prepared"),
                "changes": args.set,
            }
            training.run(sys.executable, script, {**spec, "step": "prepare"})
            for threads in args.threads:
                runs: dict[str, list[Any]] = {setting: [] for setting in SETTINGS}
                for repeat in range(args.repeats):
                    for setting in list(SETTINGS)[:: -1 if repeat % 2 else 1]:
                        changes = [*args.set, f"{task}.training.deterministic={SETTINGS[setting]}"]
                        own = {**spec, "changes": changes, "threads": threads, "seed": 13 + repeat}
                        runs[setting].append(training.run(sys.executable, script, {**own, "step": "train"}))
                record(args.name, task, threads, {"commit": training.commit(), "runs": runs})
                print(table_row(task, threads, runs), flush=True)


def table_row(task: str, threads: int, runs: dict[str, list[Any]]) -> str:
    """Format the measurements of a task at one number of threads as a row of Markdown."""
    ratios = [training.time_ratio(on, off) for on, off in zip(runs["on"], runs["off"], strict=True)]
    seconds = [statistics.median(training.later(one, "train_s") for one in runs[key]) for key in SETTINGS]
    scores = [statistics.mean(100 * one["epochs"][-1]["score"] for one in runs[key]) for key in SETTINGS]
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    cells = [task, str(threads), *(f"{s:.2f}" for s in seconds), ratio, *(f"{s:.2f}" for s in scores)]
    return "| " + " | ".join(cells) + " |"


def record(name: str, task: str, threads: int, measured: dict[str, Any]) -> None:
    """Store a measurement."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    results.setdefault(name, {}).setdefault(task, {})[str(threads)] = measured
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
