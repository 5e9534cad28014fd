"""Verify every kind of tagger: each is trained twice in fresh processes, and the weights are compared.

    python tests/faults/verify_matrix.py
    python tests/faults/verify_matrix.py --tasks ner --set corpus.name=files corpus.files.train=...

For each task: softmax and CRF, with and without auxiliary columns, in float32 and in mixed precision. The
stages and `seqlab verify` run in a copy of the repository. Prints a table in Markdown; the exit status is 1
if two trainings differ. Not run by pytest; `tests/pipeline/test_verifying.py` has a short form.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from kill_training import TIMEOUT_S, make_copy, stage, stage_environment

HEADS = ("softmax", "crf")
AUXILIARY = ("all", "none")
PRECISIONS = ("float32", "mixed_bfloat16")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=("ner", "pos"), default=("ner", "pos"))
    parser.add_argument("--sentences", type=int, default=200, help="of the sample corpus")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="parameters of all")
    arguments = parser.parse_args()
    print("| task | head | auxiliary columns | precision | two trainings | s |\n|---|---|---|---|---|---:|")
    equal = True
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "copy"
        changes = [f"corpus.sample.sentences={arguments.sentences}", *arguments.set]
        changes += [f"{task}.training.epochs={arguments.epochs}" for task in ("ner", "pos")]
        make_copy(folder, changes)
        assert stage(folder, "download").wait(TIMEOUT_S) == 0
        for task in arguments.tasks:
            for auxiliary, head, precision in itertools.product(AUXILIARY, HEADS, PRECISIONS):
                params = folder / "params.yaml"
                values = yaml.safe_load(params.read_text(encoding="utf-8"))
                values[task].setdefault("auxiliary", {})["columns"] = "all" if auxiliary == "all" else []
                values[task]["head"] = {"type": head, "label_smoothing": 0.0}
                values[task]["training"]["mixed_precision"] = precision
                params.write_text(yaml.safe_dump(values), encoding="utf-8")
                assert stage(folder, "prepare", task).wait(TIMEOUT_S) == 0
                result, duration_s = verify(folder, task)
                equal = equal and result == "equal"
                print(
                    f"| {task} | {head} | {auxiliary} | {precision} | {result} | {duration_s:.0f} |",
                    flush=True,
                )
    return 0 if equal else 1


def verify(folder: Path, task: str) -> tuple[str, float]:
    """Return whether two trainings were equal, and the seconds that both took."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "seqlab.cli", "verify", "--full", task],
        cwd=folder,
        env=stage_environment() | {"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
    return ("different" if done.returncode else "equal"), time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
