"""Training speed: this project against PyTorch, and against an older commit of this project.

    make peers                                            # PyTorch, once
    python benchmarks/training.py --name sample --task pos --threads 1 2
    python benchmarks/training.py --name EWT --task ner --threads 1 --repeats 3 --against f4edd2e \\
        --set corpus.name=files corpus.files.train=ewt/train.conll \\
        corpus.files.dev=ewt/dev.conll corpus.files.test=ewt/test.conll

Run it from the root of the repository. The trainers take turns: ours, PyTorch
(benchmarks/peers/torch_taggers.py), the older commit, each `--variant` (as in accuracy.py), then ours again.
Each training is a new process on as many cores as `--threads` says, with the same corpus, parameters and
number of sentences in a batch; none stops early. The table shows, as medians over the repeats:

- the seconds of an epoch, without and with the scoring of dev, as the median over all epochs but the first,
  which traces. An older commit may know only the latter;
- the tokens per second, without the scoring of dev if known;
- the trainer's time per token divided by ours in the same repeat, without the scoring of dev if both know it:
  median (minimum to maximum);
- the time from the start of the process to the end of the first step, or to the first loss that is reported;
- the mean dev score after the last epoch, in percent, the number of parameters, and real tokens as a share of
  all positions.

Values are read as YAML, as in params.yaml. Results are stored in benchmarks/results/training.json by name,
task and threads; with `--sentences` (a quick check on a part of train) they are only printed.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from prepared_corpus import changed, prepare_corpus

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "training.json"
PYTORCH = REPOSITORY / "benchmarks" / "peers" / "torch_taggers.py"
OURS = "seqlab"


def main() -> None:
    """Prepare the corpus, let the trainers take turns, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", required=True, help="of the corpus, in the results")
    parser.add_argument("--task", required=True, choices=["ner", "pos"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--epochs", type=int, help="instead of those of params.yaml")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="parameters of every run")
    parser.add_argument("--sentences", type=int, help="of train; all if left out")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--against", metavar="COMMIT", help="also train with the code of a commit")
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="LABEL: KEY=VALUE ...",
        help="also with other parameters",
    )
    parser.add_argument("--pytorch", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--peers-python", type=Path, default=REPOSITORY / ".venv-peers" / "bin" / "python")
    args = parser.parse_args()
    if args.pytorch and not args.peers_python.exists():
        parser.error(
            f"{args.peers_python} does not exist: run `make peers`, or give --peers-python or --no-pytorch"
        )
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trees = {OURS: REPOSITORY}
        if args.against:
            trees[args.against] = stack.enter_context(worktree(args.against))
        spec = {"task": args.task, "epochs": args.epochs, "sentences": args.sentences}
        changes = dict.fromkeys(trees, args.set)
        for variant in args.variant:
            label, _, values = variant.partition(": ")
            trees[label], changes[label] = REPOSITORY, [*args.set, *values.split()]
        specs = {}
        for number, (side, tree) in enumerate(trees.items()):
            folder = scratch / str(number)
            specs[side] = {
                **spec,
                "changes": changes[side],
                "tree": str(tree),
                "folder": str(folder),
                "prepared": str(folder / "prepared"),
            }
            specs[side]["section"] = run(sys.executable, __file__, {**specs[side], "step": "prepare"})
        for threads in args.threads:
            runs: dict[str, list[Any]] = {}
            for repeat in range(args.repeats):
                for side in [OURS, *(["PyTorch"] if args.pytorch else []), *list(trees)[1:]]:
                    is_peer = side == "PyTorch"
                    own = specs[OURS if is_peer else side] | {"seed": args.seed + repeat, "threads": threads}
                    command = (args.peers_python, PYTORCH) if is_peer else (sys.executable, __file__)
                    own |= {"task": own["section"]} if is_peer else {"step": "train"}
                    runs.setdefault(side, []).append(run(*command, own))
                    row = runs[side][-1]["epochs"][-1]
                    print(f"{args.task}, {threads} threads, {side}: {row}", file=sys.stderr, flush=True)
            measured = {"commit": commit(), "runs": runs}
            if args.sentences is None:
                record(args.name, args.task, str(threads), measured)
            print(f"\n{args.name} {args.task}, {threads} thread{'s' * (threads > 1)}:\n\n{table(runs)}\n")


def run(python: Path | str, script: Path | str, spec: dict[str, Any]) -> Any:
    """Run a step in a new process, with the code of the spec's tree, and return what it prints."""
    threads = str(spec.get("threads", 1))
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    environment |= {"PYTHONPATH": str(Path(spec["tree"]) / "src")}
    environment |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    cores = sorted(os.sched_getaffinity(0))[: spec.get("threads")]
    command = [str(python), str(script), json.dumps({**spec, "started": time.time()})]
    done = subprocess.run(
        command,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def worktree(revision: str) -> Iterator[Path]:
    """Check a commit out into a temporary folder."""
    git = ["git", "-C", str(REPOSITORY), "worktree"]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), revision], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def prepare(spec: dict[str, Any]) -> dict[str, Any]:
    """Download and prepare the corpus into the spec's folder; return the task's parameters."""
    params, section = parameters(spec)
    prepare_corpus(params, spec["task"], Path(spec["folder"]))
    if spec["sentences"] is not None:
        shorten(Path(spec["prepared"]) / "train", spec["sentences"])
    values: dict[str, Any] = section.model_dump(mode="json")
    return values


def shorten(split: Path, sentences: int) -> None:
    """Keep the first sentences of an encoded split (its files: seqlab/batching/encoding.py)."""
    import numpy as np

    meta = json.loads((split / "meta.json").read_text("utf-8"))
    offsets = np.fromfile(split / "offsets.bin", np.int64)[: sentences + 1]
    offsets.tofile(split / "offsets.bin")
    for path in (split / "type_ids.bin", split / "tag_ids.bin", *split.glob("auxiliary_*.bin")):
        np.fromfile(path, np.int32)[: offsets[-1]].tofile(path)
    meta |= {"sentences": len(offsets) - 1, "tokens": int(offsets[-1])}
    (split / "meta.json").write_text(json.dumps(meta), "utf-8")


def train(spec: dict[str, Any]) -> dict[str, Any]:
    """Train with this project's code; return its times, its scores on dev and its number of parameters."""
    from seqlab.modeling.device import select_device

    _, section = parameters(spec)
    known = "deterministic" in inspect.signature(select_device).parameters  # not in older commits
    select_device("cpu", **({"deterministic": section.training.deterministic} if known else {}))
    from seqlab.pipeline.training import train_task

    started, first_step, epochs = spec["started"], [], []

    def on_step(*_: Any) -> None:
        if not first_step:
            first_step.append(time.time() - started)

    options = {"on_step": on_step} if "on_step" in inspect.signature(train_task).parameters else {}
    trained = train_task(
        Path(spec["prepared"]), task=section, seed=spec["seed"], on_epoch=epochs.append, **options
    )
    names = ("train_s", "duration_s", "tokens", "steps", "padding_efficiency")
    rows = [{name: row[name] for name in names if name in row} for row in epochs]
    for row, scored in zip(rows, epochs, strict=True):
        row["score"] = scored[section.training.monitor]
    return {
        "start_up_s": first_step[0] if first_step else None,
        "parameters": trained.summary["parameters"],
        "epochs": rows,
    }


def parameters(spec: dict[str, Any]) -> tuple[Any, Any]:
    """Return the parameters of the spec's tree with the changes, and the task's section of them."""
    try:
        from seqlab.params_file import parse_params
    except ModuleNotFoundError:  # in older commits
        from seqlab.params import parse_params

    values = yaml.safe_load((Path(spec["tree"]) / "params.yaml").read_text("utf-8"))
    training = changed(values, spec["changes"])[spec["task"]]["training"]
    if spec["epochs"]:
        training["epochs"] = spec["epochs"]
    training["patience"] = training.get("epochs") or values["defaults"]["training"]["epochs"]
    params = parse_params(values)
    return params, params.task(spec["task"])


def record(name: str, task: str, threads: str, measured: dict[str, Any]) -> None:
    """Store a measurement."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    results.setdefault(name, {}).setdefault(task, {})[threads] = measured
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def commit() -> str:
    """Return the commit of the repository, with `-dirty` if files differ from it."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def table(runs: dict[str, list[Any]]) -> str:
    """Format a task's measurements at one number of threads as Markdown."""
    columns = ["trainer", "s per epoch", "with dev", "tokens/s", "time / ours", "s to first step"]
    columns += ["dev score", "parameters", "padding efficiency"]
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
    for side, measured in runs.items():
        ratios = [time_ratio(theirs, ours) for theirs, ours in zip(measured, runs[OURS], strict=True)]
        last = [one["epochs"][-1] for one in measured]
        timed = "train_s" if "train_s" in last[0] else "duration_s"
        speeds = [later(one, "tokens") / later(one, timed) for one in measured]
        start_up = [one["start_up_s"] for one in measured if one["start_up_s"] is not None]
        lines.append(
            [
                side,
                f"{statistics.median(later(one, timed) for one in measured):.2f}"
                if "train_s" in last[0]
                else "–",
                f"{statistics.median(later(one, 'duration_s') for one in measured):.2f}",
                f"{statistics.median(speeds):,.0f}",
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                f"{statistics.median(start_up):.1f}" if start_up else "–",
                f"{statistics.mean(100 * row['score'] for row in last):.2f}",
                f"{measured[0]['parameters']:,}",
                f"{last[0]['padding_efficiency']:.3f}",
            ]
        )
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def later(measured: dict[str, Any], name: str) -> float:
    """Return the median of a number over all epochs but the first."""
    return statistics.median(row[name] for row in measured["epochs"][1:] or measured["epochs"])


def time_ratio(theirs: dict[str, Any], ours: dict[str, Any]) -> float:
    """Return their time per token divided by ours, without the scoring of dev if both report that."""
    timed = "train_s" if all("train_s" in one["epochs"][0] for one in (theirs, ours)) else "duration_s"
    slow, fast = (later(one, timed) / later(one, "tokens") for one in (theirs, ours))
    return slow / fast


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):  # a step, started by `run`
        step = json.loads(sys.argv[1])
        print(json.dumps({"prepare": prepare, "train": train}[step["step"]](step)))
    else:
        main()
