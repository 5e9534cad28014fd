"""Tagging speed of every exported form, and the start-up time of `seqlab tag`.

    python benchmarks/tagging.py                    # after `dvc repro`
    python benchmarks/tagging.py --tasks pos --seconds 1

Each form runs in a new process, limited to one core and then to two. It tags dev's sentences in batches of
similar length, after a few uncounted batches. `keras` and `onnx` take ids, which are computed beforehand;
the others take text, so their time includes the look-up of tokens. Writes benchmarks/results/tagging.json
and prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "tagging.json"
FORMS = ("saved_model", "onnx", "keras", "pyfunc")
BATCH_SIZES = (1, 32, 256)
CORES = (1, 2)


def main() -> None:
    """Run each measurement in its own process, write the results and print them as a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", default=["ner", "pos"])
    parser.add_argument("--seconds", type=float, default=3.0, help="measured for each cell")
    parser.add_argument(
        "--root", type=Path, default=REPOSITORY, help="folder that contains models/ and data/"
    )
    parser.add_argument(
        "--measure", nargs=4, metavar=("FORM", "TASK", "CORES", "PYFUNC"), help=argparse.SUPPRESS
    )
    args = parser.parse_args()
    if args.measure:
        form, task, cores, pyfunc = args.measure
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
        print(json.dumps(measure(form, task, pyfunc=Path(pyfunc), root=args.root, seconds=args.seconds)))
        return
    results: dict[str, Any] = {"machine": machine(), "tokens_per_s": {}, "start_up_s": {}}
    for task in args.tasks:
        with tempfile.TemporaryDirectory() as scratch:
            pyfunc = Path(scratch) / "pyfunc"
            save_pyfunc(args.root / "models" / task / "export", pyfunc)
            for form in FORMS:
                for cores in CORES:
                    command = ["--measure", form, task, str(cores), str(pyfunc), "--root", str(args.root)]
                    row = json.loads(
                        run([__file__, *command, "--seconds", str(args.seconds)]).splitlines()[-1]
                    )
                    results["tokens_per_s"].setdefault(task, {}).setdefault(form, {})[f"{cores}_cores"] = row
                    print(f"{task} {form}, {cores} cores: {row}", file=sys.stderr, flush=True)
        results["start_up_s"][task] = start_up(task, root=args.root)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(table(results))


def machine() -> dict[str, Any]:
    """Return the processor and the version of Python."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {"processor": names[0] if names else platform.processor(), "python": platform.python_version()}


def run(arguments: list[str], **options: Any) -> str:
    """Run Python in a new process and return its output."""
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY / "src"),
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, **options
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def save_pyfunc(export: Path, folder: Path) -> None:
    """Save the MLflow model as the export stage does."""
    code = """
import sys, json
from pathlib import Path
from seqlab.serving.mlflow_model import save_mlflow_model
export = Path(sys.argv[1])
config = json.loads((export / "config.json").read_text())
save_mlflow_model(export, Path(sys.argv[2]), spans=config["tag_scheme"] is not None, metadata={})
"""
    run(["-c", code, str(export), str(folder)])


def start_up(task: str, *, root: Path, repeats: int = 3) -> dict[str, float]:
    """Return the median wall seconds of `seqlab tag` on one line, and of importing TensorFlow alone."""

    def median(arguments: list[str], **options: Any) -> float:
        times = []
        for _ in range(repeats):
            began = time.monotonic()
            run(arguments, **options)
            times.append(time.monotonic() - began)
        return round(statistics.median(times), 2)

    command = ["-m", "seqlab.cli", "tag", "--task", task]
    return {
        "seqlab_tag": median(command, cwd=root, input="Marie Curie was born in Warsaw .\n"),
        "import_tensorflow": median(["-c", "import tensorflow"]),
    }


def measure(form: str, task: str, *, pyfunc: Path, root: Path, seconds: float) -> dict[str, int]:
    """Return the tokens per second at each batch size."""
    from seqlab.evaluation.predictions import read_predictions

    predictions = read_predictions(root / "data" / "predictions" / task / "dev.conll")
    sentences = sorted((list(sentence.tokens) for sentence in predictions), key=len)
    call, prepare = caller(form, root / "models" / task, pyfunc, root / "data" / "prepared" / task)
    speeds = {}
    for size in BATCH_SIZES:
        batches = [sentences[first : first + size] for first in range(0, len(sentences), size)]
        prepared = [(prepare(batch), sum(map(len, batch))) for batch in spread(batches)]
        for batch, _ in prepared[:3]:
            call(batch)
        began, tokens = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            for batch, count in prepared:
                call(batch)
                tokens += count
                if time.monotonic() - began > 2 * seconds:
                    break
        speeds[str(size)] = round(tokens / (time.monotonic() - began))
    return speeds


def spread(batches: list[Any]) -> Iterator[Any]:
    """Yield the batches in an order of mixed lengths, so that any part of them is representative."""
    step = next(n for n in (37, 41, 43, 1) if len(batches) % n or n == 1)
    yield from (batches[i * step % len(batches)] for i in range(len(batches)))


def caller(
    form: str, models: Path, pyfunc: Path, prepared: Path
) -> tuple[Callable[[Any], Any], Callable[[list[list[str]]], Any]]:
    """Return a function that tags a batch with a form, and one that prepares its input."""
    if form == "pyfunc":
        import mlflow.pyfunc

        loaded = mlflow.pyfunc.load_model(str(pyfunc))
        return loaded.predict, lambda batch: [" ".join(sentence) for sentence in batch]
    if form == "saved_model":
        import tensorflow as tf

        saved = tf.saved_model.load(str(models / "export"))
        tag_text = saved.signatures["text"]
        # The default argument keeps the model, which owns the weights.
        return (
            lambda texts, keep=saved: tag_text(texts=texts),
            lambda batch: tf.constant([" ".join(sentence) for sentence in batch]),
        )
    from seqlab.batching.encoding import FeatureEncoder

    encoder = FeatureEncoder.read(prepared / "vocabulary")
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(models / "export" / "model.onnx"), onnx_options())
        return lambda ids: session.run(None, ids), lambda batch: encode(encoder, batch)
    import tensorflow as tf

    from seqlab.serving.float32 import load_tagger

    tagger = load_tagger(models / "model.keras")
    decode = tf.function(lambda ids: tagger.decode(ids), reduce_retracing=True)
    return decode, lambda batch: {name: tf.constant(ids) for name, ids in encode(encoder, batch).items()}


def onnx_options() -> Any:
    """Return options with a thread per allowed core; ONNX Runtime's default counts all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    return options


def encode(encoder: Any, batch: list[list[str]]) -> dict[str, Any]:
    """Return the ids of a batch, right-padded."""
    import numpy as np

    length = max(map(len, batch))
    rows = [encoder.encode_types(sentence) for sentence in batch]
    return {
        name: np.stack(
            [
                np.pad(row[name][1:], [(0, length + 1 - len(row[name]))] + [(0, 0)] * (row[name].ndim - 1))
                for row in rows
            ]
        )
        for name in rows[0]
    }


def table(results: dict[str, Any]) -> str:
    """Format the results as Markdown."""
    columns = [f"{cores} core{'s' * (cores > 1)}, batch {size}" for cores in CORES for size in BATCH_SIZES]
    lines = [["task", "form", *columns], ["---"] * (2 + len(columns))]
    for task, forms in results["tokens_per_s"].items():
        for form, rows in forms.items():
            cells = [f"{rows[f'{cores}_cores'][str(size)]:,}" for cores in CORES for size in BATCH_SIZES]
            lines.append([task, form, *cells])
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    for task, row in results["start_up_s"].items():
        text += f"\n\n`seqlab tag --task {task}` on one line takes {row['seqlab_tag']} s, "
        text += f"{row['import_tensorflow']} s of which are TensorFlow's import."
    return f"Tokens per second:\n\n{text}\n"


if __name__ == "__main__":
    main()
