"""`seqlab replay`: send what could not be logged while the tracking server was unreachable."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seqlab.tracking.pending import replay_pending

EXAMPLES = ("seqlab replay",)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "replay", help="send writes to MLflow that failed because its server was unreachable"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Send everything pending; the exit status is 1 if something is still pending or was refused."""
    replays = replay_pending(Path.cwd())
    for replay in replays:
        print(replay)
    if not replays:
        print("nothing is pending")
    return 1 if any(replay.left or replay.rejected for replay in replays) else 0
