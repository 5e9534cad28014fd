"""Tagging speed of every exported form, beside spaCy and the core's peak, and the start-up of `seqlab tag`.

    python benchmarks/tagging.py                    # after `dvc repro` and `make peers`
    python benchmarks/tagging.py --tasks pos --seconds 1 --repeats 1 --no-spacy

Each form runs in a new process, limited to one core and then to two; the forms take turns, `--repeats` times.
A process tags dev's sentences in batches of similar length, after a few uncounted batches. The forms:

- `keras` and `onnx` take ids, which are computed beforehand; `saved_model` and `pyfunc` take text, so their
  time includes the tokenizer and the look-up of tokens;
- `seqlab_tag` is the call behind `seqlab tag --threads CORES`: `TextTagger.tag` on tokens joined by blanks;
  `seqlab_tag_int8` is the same with 8-bit weights (`--int8`);
- `spacy`, on one core, is one component of spaCy's small English pipeline on given tokens
  (benchmarks/peers/spacy_tagging.py).

The table shows medians of the tokens per second. `of spaCy` divides a form's best batch size on one core by
spaCy's best in the same repeat: median (minimum to maximum). `share of peak` is the model's multiply-adds per
token (`multiply_adds`) times the tokens per second, divided by the best rate of a large float32 matrix
product on the same core. Writes benchmarks/results/tagging.json and prints a table.
"""

from __future__ import annotations

import argparse
import json
import math
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
FORMS = ("saved_model", "onnx", "keras", "pyfunc", "seqlab_tag", "seqlab_tag_int8")
SPACY, WORK = "spacy", "work"
BATCH_SIZES = (1, 32, 256)
CORES = (1, 2)
MATRIX_DIM = 2048


def main() -> None:
    """Run each measurement in its own process, write the results and print them as a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", default=["ner", "pos"])
    parser.add_argument("--seconds", type=float, default=3.0, help="measured for each cell")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--spacy", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--peers-python", type=Path, default=REPOSITORY / ".venv-peers" / "bin" / "python")
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
        if form == WORK:
            print(json.dumps(measure_work(task, root=args.root)))
        else:
            print(json.dumps(measure(form, task, pyfunc=Path(pyfunc), root=args.root, seconds=args.seconds)))
        return
    if args.spacy and not args.peers_python.exists():
        parser.error(
            f"{args.peers_python} does not exist: run `make peers`, or give --peers-python or --no-spacy"
        )
    results: dict[str, Any] = {"machine": machine(), "tokens_per_s": {}, "work": {}, "start_up_s": {}}
    for task in args.tasks:
        speeds: dict[str, Any] = {}
        work = []
        with tempfile.TemporaryDirectory() as scratch:
            pyfunc = Path(scratch) / "pyfunc"
            save_pyfunc(args.root / "models" / task / "export", pyfunc)

            def run_form(form: str, cores: int, task: str = task, pyfunc: Path = pyfunc) -> dict[str, Any]:
                command = [__file__, "--measure", form, task, str(cores), str(pyfunc)]
                command += ["--root", str(args.root), "--seconds", str(args.seconds)]
                python = args.peers_python if form == SPACY else sys.executable
                row: dict[str, Any] = json.loads(run(command, python=python).splitlines()[-1])
                print(f"{task} {form}, {cores} cores: {row}", file=sys.stderr, flush=True)
                return row

            for _ in range(args.repeats):
                work.append(run_form(WORK, 1))
                for cores in CORES:
                    for form in (*FORMS, *([SPACY] if args.spacy and cores == 1 else [])):
                        row = speeds.setdefault(form, {}).setdefault(f"{cores}_cores", {})
                        for size, speed in run_form(form, cores).items():
                            row.setdefault(size, []).append(speed)
        results["tokens_per_s"][task] = speeds
        results["work"][task] = {name: max(row[name] for row in work) for name in work[0]}
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


def run(arguments: list[str], *, python: Path | str = sys.executable, **options: Any) -> str:
    """Run Python in a new process and return its output."""
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY / "src"),
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [str(python), *arguments], env=environment, capture_output=True, text=True, check=False, **options
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
    sentences = sorted(dev_sentences(task, root=root), key=len)
    call, prepare = caller(form, task, pyfunc, root)
    speeds = {}
    for size in BATCH_SIZES:
        batches = list(spread([sentences[first : first + size] for first in range(0, len(sentences), size)]))
        for batch in batches[:3]:
            call(prepare(batch))
        spent, tokens = 0.0, 0
        while spent < seconds:
            for batch in batches:
                ready = prepare(batch)
                began = time.perf_counter()
                call(ready)
                spent += time.perf_counter() - began
                tokens += sum(map(len, batch))
                if spent > 2 * seconds:
                    break
        speeds[str(size)] = round(tokens / spent)
    return speeds


def dev_sentences(task: str, *, root: Path) -> list[list[str]]:
    """Return the tokens of dev's sentences."""
    from seqlab.evaluation.predictions import read_predictions

    predictions = read_predictions(root / "data" / "predictions" / task / "dev.conll")
    return [list(sentence.tokens) for sentence in predictions]


def measure_work(task: str, *, root: Path) -> dict[str, float]:
    """Return the tagger's multiply-adds per token of dev, and a core's multiply-adds per second."""
    import numpy as np

    from seqlab.batching.encoding import FeatureEncoder
    from seqlab.serving.float32 import load_tagger

    matrix = np.random.default_rng(0).random((MATRIX_DIM, MATRIX_DIM), np.float32)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        np.matmul(matrix, matrix)
        times.append(time.perf_counter() - began)
    encoder = FeatureEncoder.read(root / "data" / "prepared" / task / "vocabulary")
    per_token = multiply_adds(
        load_tagger(root / "models" / task / "model.keras"),
        num_characters=encoder.max_token_length,
        lengths=[len(sentence) for sentence in dev_sentences(task, root=root)],
    )
    return {"multiply_adds_per_token": per_token, "multiply_adds_per_s": MATRIX_DIM**3 / min(times)}


def multiply_adds(tagger: Any, *, num_characters: int, lengths: list[int]) -> float:
    """Return the multiply-adds per token of a tagger, as it was trained.

    Each entry of a kernel counts once per token, and in the character encoder once per encoded character. In
    self-attention over T tokens, a token's query is multiplied with T keys (twice as long with relative
    positions) and its weights with T values. Look-ups, biases, activations, normalisation, the CRF's
    recursion and padding do not count. A form that reads from a table what it could compute is credited with
    the computation.

    Args:
        tagger: a loaded tagger.
        num_characters: characters that are encoded per token, padding included.
        lengths: tokens in each sentence; T is their mean over tokens.
    """

    def kernels(layer: Any) -> int:
        weights = [] if layer is None else layer.weights
        return sum(math.prod(w.shape) for w in weights if w.name in ("kernel", "recurrent_kernel"))

    characters = kernels(tagger.embedder.character_encoder)
    total = kernels(tagger) - characters + num_characters * characters
    encoder = tagger.encoder.get_config()
    if "num_heads" not in encoder:
        return total
    mean_length = sum(n * n for n in lengths) / sum(lengths)
    products = 3 if encoder["positions"] == "relative" else 2
    return total + encoder["num_layers"] * encoder["hidden_dim"] * products * mean_length


def spread(batches: list[Any]) -> Iterator[Any]:
    """Yield the batches in an order of mixed lengths, so that any part of them is representative."""
    step = next(n for n in (37, 41, 43, 1) if len(batches) % n or n == 1)
    yield from (batches[i * step % len(batches)] for i in range(len(batches)))


def caller(
    form: str, task: str, pyfunc: Path, root: Path
) -> tuple[Callable[[Any], Any], Callable[[list[list[str]]], Any]]:
    """Return a function that tags a batch with a form, and one that prepares its input."""
    models = root / "models" / task
    if form == SPACY:
        from peers.spacy_tagging import spacy_caller

        return spacy_caller(task)
    if form.startswith("seqlab_tag"):
        from seqlab.serving.tagging.exported_tagger import load_exported_tagger

        cores = len(os.sched_getaffinity(0))
        exported = load_exported_tagger(models / "export", threads=cores, int8=form.endswith("int8"))
        return (
            lambda texts: exported.tag(texts, tokenized=True),
            lambda batch: [" ".join(sentence) for sentence in batch],
        )
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

    encoder = FeatureEncoder.read(root / "data" / "prepared" / task / "vocabulary")
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
    columns += ["of spaCy", "share of peak"]
    lines = [["task", "form", *columns], ["---", "---", *["---:"] * len(columns)]]
    for task, forms in results["tokens_per_s"].items():
        work = results["work"][task]
        for form, rows in forms.items():
            cells = [
                f"{statistics.median(rows[f'{cores}_cores'][str(size)]):,.0f}"
                if f"{cores}_cores" in rows
                else "–"
                for cores in CORES
                for size in BATCH_SIZES
            ]
            best = best_speeds(rows)
            if SPACY in forms:
                ratios = [ours / theirs for ours, theirs in zip(best, best_speeds(forms[SPACY]), strict=True)]
                cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
            else:
                cells.append("–")
            share = statistics.median(best) * work["multiply_adds_per_token"] / work["multiply_adds_per_s"]
            lines.append([task, form, *cells, "–" if form == SPACY else f"{share:.0%}"])
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    for task, work in results["work"].items():
        per_token, per_s = work["multiply_adds_per_token"] / 1e6, work["multiply_adds_per_s"] / 1e9
        text += f"\n\nThe {task} tagger needs {per_token:.2f} million multiply-adds per token; "
        text += f"a core makes {per_s:.1f} billion per second."
    for task, row in results["start_up_s"].items():
        text += f"\n\n`seqlab tag --task {task}` on one line takes {row['seqlab_tag']} s; "
        text += f"importing TensorFlow, which it does not need, would take {row['import_tensorflow']} s."
    return f"Tokens per second:\n\n{text}\n"


def best_speeds(rows: dict[str, Any]) -> list[int]:
    """Return the tokens per second of each repeat on one core, at the best batch size."""
    return [max(speeds) for speeds in zip(*rows["1_cores"].values(), strict=True)]


if __name__ == "__main__":
    main()
