"""`seqlab ui`: the MLflow UI over the repository's own store."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from seqlab.params_file import load_params
from seqlab.pipeline.record import save_view
from seqlab.tracking.ui_server import check_port, ui_command, ui_environment

EXAMPLES = ("seqlab ui", "seqlab ui --port 5001")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("ui", help="run the MLflow UI on 127.0.0.1")
    parser.add_argument("--port", type=int, default=5000, help="port of the UI (default: 5000)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the address of each task's table of runs, then become the server."""
    root = Path.cwd()
    command = ui_command(root, port=args.port)
    check_port(args.port)
    params = load_params()
    for task in params.tasks:
        view = save_view(task, section=params.task(task), root=root)
        print(f"{task} runs: http://127.0.0.1:{args.port}{view}")
        print(f"{task} charts: http://127.0.0.1:{args.port}{view}&compareRunsMode=CHART")
    print("press Ctrl-C to stop the server", flush=True)
    os.execvpe(command[0], command, ui_environment())
