"""`seqlab quick`: all five stages for one task at small size, in one process and a folder of its own."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import shutil
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import yaml

from seqlab.errors import SeqlabError
from seqlab.modeling.device import PLAIN_GRAPHS
from seqlab.params import DEFAULTED
from seqlab.params_file import load_params
from seqlab.stages import configure_logging

EXAMPLES = ("seqlab quick", "seqlab quick pos --sentences 1000 --folder /tmp/quick")

STAGES = ("download", "prepare", "train", "evaluate", "export")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "quick",
        help="run all stages for one task at small size, as a smoke test",
        description="Runs the five stages with the model of params.yaml on a small sample corpus, without "
        "DVC and in one process. Models, metrics and the MLflow store are written to a separate folder; no "
        "file of the repository changes.",
    )
    parser.add_argument("task", nargs="?", metavar="TASK", help="default: the first of params.yaml")
    parser.add_argument(
        "--sentences", type=int, default=200, help="number of sentences of the sample (default: 200)"
    )
    parser.add_argument("--epochs", type=int, default=2, help="number of epochs (default: 2)")
    parser.add_argument("--folder", type=Path, help="a new folder that is kept (default: a temporary one)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the stages and print how long each took."""
    params = load_params()
    task = args.task or params.tasks[0]
    section = params.task(task)
    small = {"epochs": args.epochs, "bucket_boundaries": 4}
    values = params.model_dump(mode="json", exclude={"sections"})
    values |= {
        "tasks": [task],
        "device": "cpu",
        "defaults": {part: {} for part in DEFAULTED},
    }
    values["corpus"] |= {"name": "sample", "sample": {"sentences": args.sentences, "seed": params.seed}}
    values[task] = section.model_dump(mode="json") | {
        "training": section.training.model_dump(mode="json") | small,
        "embedder": section.embedder.model_dump(mode="json")
        | {"vectors": str(Path(section.embedder.vectors).resolve())},
    }
    encoder = section.embedder.pretrained.source
    copied = Path(encoder).resolve() if encoder and Path(encoder).is_dir() else None
    configure_logging()
    os.environ.pop("DVC_ROOT", None)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    folder = args.folder or Path(tempfile.mkdtemp(prefix="seqlab-quick-"))
    if args.folder and args.folder.exists():
        raise SeqlabError("the folder exists", where=str(args.folder), expected="a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        os.environ[PLAIN_GRAPHS] = "1"
        gc.disable()  # tracing makes many objects, and the collector searches all of them again and again
        if copied:  # the stages take folders of the repository alone
            shutil.copytree(copied, folder / "data" / "encoders" / copied.name)
        with chdir(folder):
            Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
            for name in STAGES:
                print(f"\n{name}:", flush=True)
                started = time.monotonic()
                stage = getattr(importlib.import_module(f"seqlab.stages.{name}"), name)
                stage(*([] if name == "download" else [task]))
                print(f"{name} took {time.monotonic() - started:.1f} s", flush=True)
    finally:
        os.environ.pop(PLAIN_GRAPHS, None)
        gc.enable()
        if args.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\nall stages work{f'; the results are in {folder}' if args.folder else ''}")
    return 0
