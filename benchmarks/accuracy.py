"""Scores of a task over several seeds, for the defaults and for variants of them.

    python benchmarks/accuracy.py --name ewt --task ner --set corpus.name=files \\
        corpus.files.train=ewt/train.conll corpus.files.dev=ewt/dev.conll corpus.files.test=ewt/test.conll
    python benchmarks/accuracy.py --name ewt --task ner --set ... --seeds 13 --dev-only \\
        --variant "softmax head: ner.head.type=softmax"

Values are read as YAML, as in params.yaml. Each training runs in a new process on one core, `--jobs`
at a time; the corpus is prepared for each of them. Results are printed as a table (mean and sample standard
deviation, in percent) and stored in benchmarks/results/accuracy.json, where they replace earlier results of
the same variant and seed. `--predictions FOLDER` keeps the predictions of each variant
and seed, and compares all variants in FOLDER as `seqlab compare --group-seeds` does: intervals, and tests
over sentences and seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from seqlab.evaluation.comparison import (
    compare_counts,
    count_runs,
    mean_and_deviation,
    mean_score,
    measure_of,
)
from seqlab.evaluation.predictions import read_predictions

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "accuracy.json"
DEFAULTS = "defaults"


def main() -> None:
    """Run the trainings and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", required=True, help="of the corpus, in the results")
    parser.add_argument("--task", required=True, choices=["ner", "pos"])
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="parameters of every run")
    parser.add_argument("--seeds", nargs="+", type=int, default=[13, 14, 15])
    parser.add_argument("--variant", metavar="LABEL: KEY=VALUE ...", help="instead of the defaults")
    parser.add_argument("--dev-only", action="store_true", help="do not score test")
    parser.add_argument("--predictions", metavar="FOLDER", help="keep them in FOLDER/LABEL/SEED")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--measure", metavar="SPEC", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(**json.loads(args.measure))))
        return
    label, _, changes = (args.variant or DEFAULTS).partition(": ")
    spec = {
        "task": args.task,
        "changes": [*args.set, *changes.split()],
        "dev_only": args.dev_only,
        "predictions": args.predictions and f"{args.predictions}/{label}",
    }
    with ThreadPoolExecutor(args.jobs) as pool:
        rows = pool.map(lambda seed: run({**spec, "seed": seed}), args.seeds)
        for seed, row in zip(args.seeds, rows, strict=True):
            print(f"{args.name} {args.task}, {label}, seed {seed}: {row}", file=sys.stderr, flush=True)
            record(args.name, args.task, label, seed, row)
    print(table(read_results()[args.name][args.task]))
    if args.predictions:
        print(comparison(Path(args.predictions)))


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Run `measure` in a new process."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    environment = os.environ | threads | {"PYTHONPATH": str(REPOSITORY / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--name", "_", "--task", spec["task"], "--measure", json.dumps(spec)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def measure(
    task: str, changes: list[str], seed: int, *, dev_only: bool, predictions: str | None
) -> dict[str, Any]:
    """Download, prepare, train and score once.

    Returns:
        Dev's scores, and test's, in percent.
    """
    from seqlab.modeling.device import select_device
    from seqlab.params_file import parse_params
    from seqlab.yaml_text import with_values

    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text("utf-8"))
    params = parse_params(with_values(values, parse_changes(changes)))
    section = params.task(task)
    select_device(params.device)
    from seqlab.corpus.manifest import read_manifest
    from seqlab.pipeline.evaluating import evaluate_task
    from seqlab.pipeline.training import train_task
    from seqlab.sweeps.data import downloads_folder, prepare_data

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        prepared = prepare_data(scratch, params, task, downloads=downloads_folder(REPOSITORY))
        manifest = read_manifest(prepared.parent / "raw")
        wall, cpu = time.monotonic(), time.process_time()
        trained = train_task(prepared, task=section, seed=seed)
        times = {"wall_s": round(time.monotonic() - wall), "cpu_s": round(time.process_time() - cpu)}
        row: dict[str, Any] = {
            "corpus_digest": manifest["digest"],
            "parameters": trained.summary["parameters"],
            "best_epoch": trained.summary["best_epoch"],
            **times,
            "dev": percent(trained.summary["dev"]),
        }
        if dev_only:
            return row
        trained.save(scratch / "model.keras")
        evaluated = evaluate_task(
            prepared,
            scratch / "model.keras",
            Path(predictions).absolute() / str(seed) if predictions else scratch / "predictions",
            task=section,
            seed=seed,
        )
    test = evaluated.scores["test"]
    names = [*row["dev"], "unseen_token_accuracy"]
    row["test"] = percent({name: test[name] for name in names})
    if "per_type" in test:
        row["test_span_f1_by_type"] = percent({t: s["span_f1"] for t, s in test["per_type"].items()})
    return row


def parse_changes(changes: list[str]) -> dict[str, Any]:
    """Read `a.b=value`, with values in YAML."""
    parts = (change.partition("=") for change in changes)
    return {key: yaml.safe_load(value) for key, _, value in parts}


def percent(scores: dict[str, float]) -> dict[str, float]:
    """Shares as percent, two decimals."""
    return {name: round(100 * value, 2) for name, value in scores.items()}


def read_results() -> dict[str, Any]:
    """Return the stored results: by corpus, task, variant and seed."""
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    return results


def record(name: str, task: str, label: str, seed: int, row: dict[str, Any]) -> None:
    """Add a row to the results."""
    results = read_results()
    results.setdefault(name, {}).setdefault(task, {}).setdefault(label, {})[str(seed)] = row
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def table(variants: dict[str, dict[str, Any]]) -> str:
    """A Markdown table, one row per variant: the main score of each split, seeds and minutes."""
    lines = ["| variant | dev | test | seeds | CPU minutes |", "|---|---:|---:|---:|---:|"]
    for label, seeds in variants.items():
        rows = list(seeds.values())
        score = "span_f1" if "span_f1" in rows[0]["dev"] else "token_accuracy"
        dev, test = (spread([row[split][score] for row in rows if split in row]) for split in ("dev", "test"))
        minutes = mean_and_deviation([row["cpu_s"] for row in rows])[0] / 60
        lines.append(f"| {label} | {dev} | {test} | {len(rows)} | {minutes:.1f} |")
    return "\n".join(lines)


def comparison(folder: Path) -> str:
    """Mean scores on test with 95 % intervals, and each variant against the first, by `folder/LABEL/SEED`."""
    runs = {
        variant.name: [list(read_predictions(file)) for file in sorted(variant.glob("*/test.conll"))]
        for variant in sorted(folder.iterdir(), key=lambda variant: (variant.name != DEFAULTS, variant.name))
    }
    first, *others = runs
    measure = measure_of(runs[first][0])
    counts = {label: count_runs(sentences, measure) for label, sentences in runs.items()}
    lines = []
    for label in runs:
        score = mean_score(counts[label], measure, seed=0)
        interval = f"[{score.low:.4f}, {score.high:.4f}]"
        lines.append(f"{label}: {measure.name} {score.mean:.4f} {interval}, {score.runs} seeds")
    for label in others:
        found = compare_counts(counts[first], counts[label], measure, seed=0)
        p_values = f"p {found.p_sentences:.4f} over sentences, {found.p_runs or 1:.4f} over seeds"
        lines.append(f"{label} - {first}: {found.difference:+.4f}, {p_values}: {found.verdict}")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Mean and sample standard deviation."""
    if not values:
        return "–"
    mean, deviation = mean_and_deviation(values)
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


if __name__ == "__main__":
    main()
