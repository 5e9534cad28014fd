"""`seqlab completion`: what completes commands, options and file names in a shell."""

from __future__ import annotations

import argparse
from typing import Any

EXAMPLES = (
    "seqlab completion bash > ~/.local/share/bash-completion/completions/seqlab",
    "seqlab completion zsh > ~/.zfunc/_seqlab",
    "seqlab completion fish > ~/.config/fish/completions/seqlab.fish",
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("completion", help="print the completion script for a shell")
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import shtab

    print(shtab.complete(args.parser, shell=args.shell))
    return 0
