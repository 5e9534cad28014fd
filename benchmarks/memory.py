"""Peak memory of the training input against the size of the corpus.

    python benchmarks/memory.py               # 10,000, 100,000 and 1,000,000 sentences
    python benchmarks/memory.py --sentences 10000000

The generated sample is made and prepared for the ner task with the defaults of params.yaml, as in
benchmarks/preparing.py. A new process then reads all batches of one epoch, without a model; the operating
system reports its peak resident memory. The table shows that peak, what the imports alone take, and the
difference per token of train. Writes benchmarks/results/memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from preparing import REPOSITORY, measure

RESULTS = REPOSITORY / "benchmarks" / "results" / "memory.json"


def main() -> None:
    """Measure every size, print the table and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--iterate", type=Path, metavar="PREPARED", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.iterate:
        print(json.dumps(iterate_epoch(args.iterate)))
        return
    rows = []
    print("| sentences | tokens of train | epoch, s | peak, MiB | imports, MiB | bytes per token |")
    print("|---:|---:|---:|---:|---:|---:|")
    for sentences in args.sentences:
        with tempfile.TemporaryDirectory() as scratch:
            for step in ("make", "prepare"):
                measure(step, Path(scratch), sentences)
            row = run(Path(scratch) / "prepared")
        rows.append({"sentences": sentences, **row})
        per_token = (row["peak_mib"] - row["imports_mib"]) * 2**20 / row["tokens"]
        print(
            f"| {sentences:,} | {row['tokens']:,} | {row['epoch_s']:.1f} | {row['peak_mib']:,.0f} | "
            f"{row['imports_mib']:,.0f} | {per_token:.1f} |",
            flush=True,
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")


def run(prepared: Path) -> dict[str, Any]:
    """Run `iterate_epoch` in a new process."""
    command = [sys.executable, __file__, "--iterate", str(prepared)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def iterate_epoch(prepared: Path) -> dict[str, float]:
    """Read all training batches of one epoch, with auxiliary columns and mention replacement as in training.

    Returns:
        Tokens of the split and in the batches, the epoch's seconds, and the peak memory, in MiB, after the
        imports and at the end.
    """
    from seqlab.batching.auxiliary import read_auxiliary
    from seqlab.batching.buckets import choose_buckets, cut_windows
    from seqlab.batching.datasets import training_dataset
    from seqlab.batching.encoding import read_encoded_split
    from seqlab.batching.gathering import BatchGatherer
    from seqlab.batching.mention_replacement import MentionReplacer, continues_mention
    from seqlab.batching.planning import EpochPlanner
    from seqlab.params_file import load_params
    from seqlab.pipeline.predicting import boundaries_for, load_prepared

    imports_mib = peak_mib()
    task = load_params().task("ner")
    training = task.training
    began = time.monotonic()
    _, tags = load_prepared(prepared)
    split = read_encoded_split(prepared / "train", tags=tags)
    windows = cut_windows(
        split.offsets, max_length=training.window_length, continues=partial(continues_mention, split)
    )
    boundaries = boundaries_for(windows.length, training, batch_size=training.batch_size)
    buckets = choose_buckets(windows.length, boundaries=boundaries, batch_size=training.batch_size)
    auxiliary = read_auxiliary(prepared / "train")
    batches = training_dataset(
        BatchGatherer(split, windows, auxiliary=auxiliary),
        EpochPlanner(windows.length, buckets),
        seed=13,
        epoch=0,
        replaced=MentionReplacer(split, share=training.mention_replacement, seed=13).replaced(0),
    )
    batch_tokens = sum(float(sample_weight.numpy().sum()) for _, _, sample_weight in batches)
    return {
        "tokens": split.num_tokens,
        "batch_tokens": int(batch_tokens),
        "epoch_s": time.monotonic() - began,
        "imports_mib": imports_mib,
        "peak_mib": peak_mib(),
    }


def peak_mib() -> float:
    """Return this process's peak resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
