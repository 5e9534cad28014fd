"""`seqlab sweep`: search for better parameters by many trainings at once."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

EXAMPLES = (
    "seqlab sweep sweep.yaml",
    "seqlab sweep sweep.yaml --ray 10.0.0.1:6379",
    "seqlab sweep --apply sweep.yaml",
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sweep",
        help="search for better parameters with many trainings, on this machine or a Ray cluster",
        description="Trains a task with many values of its parameters, chosen by Optuna, at random or from a "
        "grid, and stops bad trials early. In MLflow, each trial is a child run of the sweep's run. The same "
        "command continues an interrupted sweep. docs/sweeps.md describes the file.",
    )
    parser.add_argument(
        "sweep", metavar="SPEC", help="YAML file of the sweep; with --apply also the name of a sweep"
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="HOST:PORT of a Ray cluster to which this machine belongs, or auto (default: start Ray here)",
    )
    parser.add_argument(
        "--apply",
        action="store_true",
        help="only write the values of the best trial into params.yaml",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run or continue the sweep, or apply its best values."""
    from seqlab.sweeps.outcome import apply_best, print_trials
    from seqlab.sweeps.running import run_sweep
    from seqlab.sweeps.spec import read_sweep

    root = Path.cwd()
    if args.apply:
        return apply_best(args.sweep, root=root)
    sweep = read_sweep(Path(args.sweep), root / "params.yaml")
    try:
        trials = run_sweep(sweep, root=root, address=args.ray)
    except KeyboardInterrupt:
        print(f"sweep {sweep.spec.name} was interrupted; the same command continues it", file=sys.stderr)
        return 130
    return print_trials(trials, sweep.spec)
