"""Training speed of both taggers on a GPU, on Keras's JAX, PyTorch or TensorFlow backend.

    python benchmarks/gpu.py                              # JAX, the sample corpus
    KERAS_BACKEND=torch python benchmarks/gpu.py --set corpus.sample.sentences=20000
    JAX_PLATFORMS=cpu python benchmarks/gpu.py --sizes 1 --steps 2 --set pos.training.bucket_boundaries=2

Run it from the root of the repository. JAX and PyTorch need keras, numpy, pydantic, pyyaml and zstandard
beside them, and no TensorFlow. Values of `--set` are read as YAML, as in params.yaml. On a GPU, the results
are stored in benchmarks/results/gpu.json by device, backend, task and precision.

For each task, precision and batch size, train is planned and gathered as in training. The first step of
each batch shape, which compiles, is not timed. Then `--steps` steps of each shape are timed together, from
arrays in the host's memory to the last updated weights. The table shows:

- tokens/s: the real tokens of an epoch, divided by its number of steps of each shape times their mean time.
  Gathering batches is not part of it; training does that while the device computes.
- MFLOP per token: the matrix products of real tokens and real characters, counted from the shapes of the
  weights, plus the products of attention; times 3, since each has two more in the gradient. Everything else,
  the CRF's recursion included, counts as 0.
- share of peak: the product of both, divided by the device's peak. In float32, matrix products run in TF32
  on GPUs that have it, so this peak is TF32's. Other GPUs than those of `PEAK_TFLOPS` need `--peak-tflops`.
- seconds until every shape has run once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from prepared_corpus import REPOSITORY, changed, prepare_corpus

RESULTS = REPOSITORY / "benchmarks" / "results" / "gpu.json"
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
PEAK_TFLOPS = {
    "H100 PCIe": {"float32": 378, "bfloat16": 756},
    "H100": {"float32": 494.7, "bfloat16": 989.4},
    "H200": {"float32": 494.7, "bfloat16": 989.4},
    "A100": {"float32": 156, "bfloat16": 312},
    "L40S": {"float32": 183, "bfloat16": 362},
    "L4": {"float32": 60, "bfloat16": 121},
}
"""Dense peaks from NVIDIA's data sheets, TF32 for float32, by the first name found in the device's name."""


def main() -> None:
    """Measure, print the table, and store the results of a GPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=["ner", "pos"], default=["ner", "pos"])
    parser.add_argument("--precisions", nargs="+", choices=list(POLICIES), default=list(POLICIES))
    parser.add_argument("--sizes", nargs="+", type=int, default=[1, 8], help="multiples of batch_size")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each batch shape")
    parser.add_argument("--peak-tflops", type=float, help="of the device, in every precision measured")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="parameters of every run")
    args = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    device, is_gpu = select_device()
    backend = f"{os.environ['KERAS_BACKEND']} {version(os.environ['KERAS_BACKEND'])}"
    print(f"{device}, {backend}, Keras {version('keras')}, Python {platform.python_version()}\n")
    columns = ["task", "precision", "sentences per batch", "tokens/s", "MFLOP per token", "share of peak"]
    print("| " + " | ".join([*columns, "first steps, s"]) + " |")
    print("|---|---|---:|---:|---:|---:|---:|", flush=True)
    for task in args.tasks:
        with tempfile.TemporaryDirectory() as folder:
            prepare_corpus(parameters(args.set), task, Path(folder))
            for precision in args.precisions:
                peak = args.peak_tflops or known_peak(device, precision)
                for size in args.sizes:
                    changes = [*args.set, f"{task}.training.mixed_precision={POLICIES[precision]}"]
                    section = parameters(changes).task(task)
                    row = measure(Path(folder) / "prepared", section, size=size, steps=args.steps)
                    tflops = row["tokens_per_s"] * row["flop_per_token"] / 1e12
                    row["share_of_peak"] = tflops / peak if peak and is_gpu else None
                    share = "–" if row["share_of_peak"] is None else f"{row['share_of_peak']:.2%}"
                    print(
                        f"| {task} | {precision} | {row['batch_size']} | {row['tokens_per_s']:,.0f} | "
                        f"{row['flop_per_token'] / 1e6:.2f} | {share} | {row['first_steps_s']:.1f} |",
                        flush=True,
                    )
                    if is_gpu:
                        record([device, backend, task, precision, str(row["batch_size"])], row)


def parameters(changes: list[str]) -> Any:
    """Return params.yaml with the changes."""
    from seqlab.params_file import parse_params

    return parse_params(changed(yaml.safe_load((REPOSITORY / "params.yaml").read_text("utf-8")), changes))


def select_device() -> tuple[str, bool]:
    """Return the name of the first device and whether it is a GPU; float32 products may use TF32 there."""
    backend = os.environ["KERAS_BACKEND"]
    if backend == "jax":
        import jax

        is_gpu = jax.default_backend() == "gpu"
        if is_gpu:
            jax.config.update("jax_default_matmul_precision", "tensorfloat32")
        name = jax.devices()[0].device_kind
    elif backend == "torch":
        import torch

        is_gpu = torch.cuda.is_available()
        torch.set_float32_matmul_precision("high")
        name = torch.cuda.get_device_name() if is_gpu else "cpu"
    else:
        from seqlab.modeling.device import select_device as select_for_tensorflow

        name = select_for_tensorflow("auto").split(", ")[0]
        is_gpu = name != "cpu"
    return name, is_gpu


def known_peak(device: str, precision: str) -> float | None:
    """Return the device's peak in TFLOP/s, if known."""
    return next((peaks[precision] for name, peaks in PEAK_TFLOPS.items() if name in device), None)


def measure(prepared: Path, task: Any, *, size: int, steps: int) -> dict[str, Any]:
    """Train a new tagger for some steps of each batch shape."""
    import keras

    from seqlab.batching.auxiliary import read_auxiliary
    from seqlab.batching.buckets import choose_boundaries, choose_buckets, cut_windows
    from seqlab.batching.encoding import FeatureEncoder, read_encoded_split
    from seqlab.batching.gathering import BatchGatherer
    from seqlab.batching.mention_replacement import continues_mention
    from seqlab.batching.planning import EpochPlanner
    from seqlab.batching.vocabulary import Vocabulary

    keras.utils.set_random_seed(13)
    vocabulary, training = prepared / "vocabulary", task.training
    encoder, tags = FeatureEncoder.read(vocabulary), Vocabulary.read(vocabulary / "tags.json")
    split = read_encoded_split(prepared / "train", tags=tags)
    auxiliary = read_auxiliary(prepared / "train")
    windows = cut_windows(
        split.offsets,
        max_length=training.window_length,
        continues=partial(continues_mention, split) if task.tag_scheme else None,
    )
    batch_size, boundaries = size * training.batch_size, training.bucket_boundaries
    if isinstance(boundaries, int):
        boundaries = choose_boundaries(windows.length, num_buckets=boundaries, batch_size=batch_size)
    else:
        boundaries = sorted({*boundaries, training.window_length})
    planner = EpochPlanner(
        windows.length, choose_buckets(windows.length, boundaries=boundaries, batch_size=batch_size)
    )
    is_static = keras.backend.backend() != "tensorflow"
    gatherer = BatchGatherer(split, windows, auxiliary=auxiliary, distinct_types=not is_static)
    learner = build(task, encoder=encoder, tags=tags, auxiliary=auxiliary, steps=planner.steps)
    by_shape: dict[tuple[int, ...], list[Any]] = {}
    for planned in planner.batches(seed=13, epoch=0):
        by_shape.setdefault((len(planned.row_ids), planned.length), []).append(planned)
    cycles = {
        shape: [gatherer.gather(planned).for_training for planned in batches[:steps]]
        for shape, batches in by_shape.items()
    }
    began = time.perf_counter()
    for batches in cycles.values():
        learner.train_batch(*batches[0])
        wait(learner)
    first_steps_s = time.perf_counter() - began
    step_s = {shape: timed(learner, batches, steps) for shape, batches in cycles.items()}
    rows = np.concatenate([planned.row_ids for batches in by_shape.values() for planned in batches])
    tokens = int(windows.length[rows].sum())
    epoch_s = sum(step_s[shape] * len(batches) for shape, batches in by_shape.items())
    characters = np.count_nonzero(split.features["char_ids"], axis=-1)[split.type_ids].mean()
    return {
        "batch_size": batch_size,
        "tokens_per_s": tokens / epoch_s,
        "flop_per_token": flop_per_token(learner, windows.length[rows], characters=float(characters)),
        "first_steps_s": first_steps_s,
        "shapes": [
            {"rows": shape[0], "length": shape[1], "batches": len(by_shape[shape]), "step_ms": 1e3 * seconds}
            for shape, seconds in sorted(step_s.items())
        ],
    }


def build(task: Any, *, encoder: Any, tags: Any, auxiliary: Any, steps: int) -> Any:
    """Return a compiled tagger with its auxiliary heads, as in training."""
    from seqlab.modeling.multi_task_tagger import MultiTaskTagger
    from seqlab.modeling.optimizer import make_optimizer
    from seqlab.pipeline.building import build_tagger

    learner, training = build_tagger(task, encoder=encoder, tags=tags), task.training
    if auxiliary:
        sizes = [len(column.tags) for column in auxiliary]
        learner = MultiTaskTagger(learner, auxiliary=sizes, auxiliary_weight=task.auxiliary.weight)
    optimizer = make_optimizer(
        learning_rate=training.learning_rate,
        warmup_steps=steps,
        total_steps=training.epochs * steps,
        weight_decay=training.weight_decay,
        clip_norm=training.clip_norm,
        averaged_steps=steps,
    )
    learner.compile(optimizer=optimizer, auto_scale_loss=False, jit_compile=False)
    return learner


def timed(learner: Any, batches: list[Any], steps: int) -> float:
    """Return the mean seconds of a step."""
    began = time.perf_counter()
    for number in range(steps):
        learner.train_batch(*batches[number % len(batches)])
    wait(learner)
    return (time.perf_counter() - began) / steps


def wait(learner: Any) -> None:
    """Wait until the weights are updated."""
    import keras

    keras.ops.convert_to_numpy(learner.trainable_variables[-1])


def flop_per_token(learner: Any, lengths: np.ndarray, *, characters: float) -> float:
    """Return the floating-point operations of the matrix products in a training step, per real token.

    Args:
        learner: the tagger that is trained.
        lengths: int (rows,), the tokens of each row.
        characters: mean characters of a token.
    """
    of_characters = {id(weight) for weight in character_weights(learner)}
    products = sum(
        np.prod(weight.shape) * (characters if id(weight) in of_characters else 1)
        for weight in learner.trainable_variables
        if weight.name in ("kernel", "recurrent_kernel")
    )
    context = np.square(lengths.astype(float)).sum() / lengths.sum()  # tokens that a token attends to
    for block in getattr(learner.encoder, "blocks", []):
        attention = block.attention
        scores = 2 if attention.relative_positions else 1
        products += context * (scores + 1) * attention.num_heads * attention.head_dim
    return float(3 * 2 * products)


def character_weights(learner: Any) -> Iterator[Any]:
    """Yield the weights that are applied to each character."""
    if learner.embedder.character_encoder is not None:
        yield from learner.embedder.character_encoder.trainable_variables


def record(keys: list[str], row: dict[str, Any]) -> None:
    """Store a measurement."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    section = results
    for key in keys[:-1]:
        section = section.setdefault(key, {})
    section[keys[-1]] = row
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
