"""Memory and time of a training with a large file of word vectors.

    python benchmarks/vectors.py                             # 400,000 vectors of 300 numbers
    python benchmarks/vectors.py --vectors 5000 --dimension 50

Random vectors, of all tokens of a generated sample of 400 sentences and of as many other forms as are left,
are written in the text format of word2vec. Three trainings of the pos task with the defaults of params.yaml
follow, each in a new process with one thread, for two epochs: without vectors, with them, and with every
vector of the file trained. The table shows the processor time of the second epoch, with the scoring of dev,
divided by its steps; the peak memory of the process up to the end of the training; and the sizes of its
checkpoint and of the model's file. Another process reads and prepares the file. Times are processor times,
so that other programs on the machine matter less. Writes benchmarks/results/vectors.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from memory import peak_mib

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "vectors.json"
TRAININGS = ("no vectors", "train's vectors trained", "all vectors trained")


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=int, default=400_000)
    parser.add_argument("--dimension", type=int, default=300)
    parser.add_argument("--step", metavar="SPEC", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        spec = json.loads(args.step)
        steps: dict[str, Callable[..., dict[str, Any]]] = {"prepare": prepare, "train": train}
        print(json.dumps(steps[spec.pop("step")](**spec)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folders = {name: str(Path(scratch) / name.replace(" ", "_")) for name in TRAININGS}
        spec = {"dimension": args.dimension, "step": "prepare"}
        run({**spec, "folder": folders["no vectors"], "vectors": 0})
        read = run({**spec, "folder": folders["train's vectors trained"], "vectors": args.vectors})
        print(
            f"reading: {read['read_s']:.1f} s, peak {read['read_mib']:,.0f} MiB; with the rest of prepare "
            f"{read['prepare_s']:.1f} s, {read['peak_mib']:,.0f} MiB"
        )
        shutil.copytree(folders["train's vectors trained"], folders["all vectors trained"])
        prepared = Path(folders["all vectors trained"]) / "prepared"
        tables = [np.load(prepared / f"{name}.npy") for name in ("vectors", "frozen_vectors")]
        np.save(prepared / "vectors.npy", np.concatenate(tables))
        (prepared / "frozen_vectors.npy").unlink()
        trainings = {}
        print("| training | step, ms | peak, MiB | checkpoint, MiB | model.keras, MiB |")
        print("|---|---:|---:|---:|---:|")
        for name, folder in folders.items():
            row = run({"step": "train", "dimension": args.dimension, "folder": folder})
            trainings[name] = row
            print(
                f"| {name} | {row['step_ms']:.0f} | {row['peak_mib']:,.0f} | {row['checkpoint_mib']:,.1f} | "
                f"{row['model_mib']:,.1f} |",
                flush=True,
            )
    results = {"vectors": args.vectors, "dimension": args.dimension, "prepare": read, "train": trainings}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Run a step in a new process."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "CUDA_VISIBLE_DEVICES": "-1"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    command = [sys.executable, __file__, "--step", json.dumps(spec)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def params_of(dimension: int, vectors: Path) -> Any:
    """Return the parameters of params.yaml with a small sample, two epochs and a file of vectors."""
    from seqlab.params_file import parse_params
    from seqlab.yaml_text import with_values

    changes = {
        "corpus.name": "sample",
        "corpus.sample.sentences": 400,
        "pos.training.epochs": 2,
        "pos.embedder.vectors": str(vectors),
        "pos.embedder.token_embedding_dim": dimension,
    }
    return parse_params(with_values(yaml.safe_load((REPOSITORY / "params.yaml").read_text("utf-8")), changes))


def prepare(folder: str, vectors: int, dimension: int) -> dict[str, Any]:
    """Write the file of vectors, read it alone, and prepare the corpus with it."""
    from seqlab.batching.vectors import read_vectors
    from seqlab.corpus.splits import read_split
    from seqlab.sweeps.data import downloads_folder, prepare_data

    scratch = Path(folder)
    scratch.mkdir()
    path = scratch / "vectors.txt"
    path.touch()
    params = params_of(dimension, path)
    options = {"downloads": downloads_folder(REPOSITORY)}
    first = prepare_data(scratch / "first", params, "pos", **options)
    forms = {
        token.lower(): None
        for split in ("train", "dev", "test")
        for sentence in read_split(first.parent / "raw", split, tag_column="upos")
        for token in sentence.tokens
    }
    others = map("".join, product("abcdefghijklmnopqrstuvwxyz", repeat=7))  # digits would all become 0
    write_vectors(path, [*forms, *islice(others, max(vectors - len(forms), 0))][:vectors], dimension)
    began = time.process_time()
    read_vectors(path, lowercase=True)
    row = {"read_s": time.process_time() - began, "read_mib": peak_mib()}
    began = time.process_time()
    prepared = prepare_data(scratch / "second", params, "pos", **options)
    row |= {"prepare_s": time.process_time() - began, "peak_mib": peak_mib()}
    prepared.rename(scratch / "prepared")
    path.unlink()
    return row


def write_vectors(path: Path, forms: list[str], dimension: int) -> None:
    """Write random vectors in the text format of word2vec; 1,000 vectors repeat."""
    random = np.random.default_rng(0).standard_normal((1000, dimension)) / 10
    lines = [" ".join(f"{number:.6f}" for number in row) for row in random]
    with path.open("w", encoding="utf-8") as file:
        if forms:
            file.write(f"{len(forms)} {dimension}\n")
        for number, form in enumerate(forms):
            file.write(f"{form} {lines[number % len(lines)]}\n")


def train(folder: str, dimension: int) -> dict[str, Any]:
    """Train for two epochs with a checkpoint after each, and save the model."""
    from seqlab.modeling.device import select_device
    from seqlab.pipeline.checkpoints import TrainingCheckpoint
    from seqlab.pipeline.training import train_task

    select_device("cpu")
    scratch = Path(folder)
    task = params_of(dimension, scratch / "vectors.txt").task("pos")
    checkpoint = TrainingCheckpoint(scratch / "checkpoint", minutes=task.training.checkpoint_minutes)
    times = []
    trained = train_task(
        scratch / "prepared",
        task=task,
        seed=13,
        checkpoint=checkpoint,
        on_epoch=lambda _: times.append(time.process_time()),
    )
    peak = peak_mib()
    trained.save(scratch / "model.keras")
    return {
        "step_ms": 1000 * (times[1] - times[0]) / trained.result.history[1]["steps"],
        "peak_mib": peak,
        "checkpoint_mib": (scratch / "checkpoint" / "state.npz").stat().st_size / 2**20,
        "model_mib": (scratch / "model.keras").stat().st_size / 2**20,
    }


if __name__ == "__main__":
    main()
