"""`seqlab replay`: send what could not be logged while the tracking server was away."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seqlab.tracking.replay import replay_pending


def add_parser(subparsers: Any) -> None:
    """Add the command to `seqlab`'s parser."""
    parser = subparsers.add_parser("replay", help="send to MLflow what waits from when its server was away")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Send everything pending and say how much there was; 1 where something still waits or was refused."""
    replays = replay_pending(Path.cwd())
    for replay in replays:
        print(replay)
    if not replays:
        print("nothing waits to be sent")
    return 1 if any(replay.left or replay.rejected for replay in replays) else 0
