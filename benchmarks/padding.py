"""Padding efficiency against the number of buckets, and the speed of planning and gathering batches.

    python benchmarks/padding.py --task ner --set corpus.name=files corpus.files.train=ewt/train.conll \\
        corpus.files.dev=ewt/dev.conll corpus.files.test=ewt/test.conll

For each number of buckets, one epoch of train is planned and gathered by one thread, without a model. The
table shows the real tokens as a share of all positions, the rows left out, and the rows per second.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import yaml

from prepared_corpus import REPOSITORY, changed, prepare_corpus


def main() -> None:
    """Prepare the corpus and print a row per number of buckets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", required=True, choices=["ner", "pos"])
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--buckets", nargs="+", type=int, default=[1, 5, 8, 12, 16, 24, 32])
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from seqlab.batching.buckets import choose_boundaries, choose_buckets, cut_windows
    from seqlab.batching.encoding import read_encoded_split
    from seqlab.batching.gathering import BatchGatherer
    from seqlab.batching.planning import EpochPlanner
    from seqlab.params_file import parse_params
    from seqlab.pipeline.predicting import load_prepared

    params = parse_params(changed(yaml.safe_load((REPOSITORY / "params.yaml").read_text("utf-8")), args.set))
    training = params.task(args.task).training
    with tempfile.TemporaryDirectory() as folder:
        prepare_corpus(params, args.task, Path(folder))
        _, tags = load_prepared(Path(folder) / "prepared")
        split = read_encoded_split(Path(folder) / "prepared" / "train", tags=tags)
        windows = cut_windows(split.offsets, max_length=training.window_length)
        gatherer = BatchGatherer(split, windows)
        print("| buckets | padding efficiency | rows left out | rows/s |\n|---:|---:|---:|---:|")
        for num_buckets in args.buckets:
            boundaries = choose_boundaries(
                windows.length, num_buckets=num_buckets, batch_size=training.batch_size
            )
            buckets = choose_buckets(windows.length, boundaries=boundaries, batch_size=training.batch_size)
            began, tokens, positions, rows = time.perf_counter(), 0.0, 0, 0
            planner = EpochPlanner(windows.length, buckets)
            for batch in planner.batches(seed=13, epoch=0):
                weight = gatherer.gather(batch).sample_weight
                tokens, positions, rows = tokens + weight.sum(), positions + weight.size, rows + len(weight)
            speed = rows / (time.perf_counter() - began)
            print(
                f"| {num_buckets} | {tokens / positions:.3f} | {planner.dropped} | {speed:,.0f} |", flush=True
            )


if __name__ == "__main__":
    main()
