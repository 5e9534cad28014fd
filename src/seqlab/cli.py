"""The `seqlab` command: parse, call once, return."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from seqlab.credentials import protect_output, without_credentials
from seqlab.errors import SeqlabError, disk_error

COMMANDS = (
    "summary",
    "ui",
    "check",
    "compare",
    "convert",
    "corpora",
    "tag",
    "card",
    "promote",
    "replay",
    "verify",
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="seqlab", description="Train, inspect and use sequence taggers whose results can be traced."
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"seqlab.commands.{name}").add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, 1 after an error, 2 for wrong usage, 130 after Ctrl-C."""
    parsed = build_parser().parse_args(arguments)
    protect_output()
    try:
        status: int = parsed.run(parsed)
    except SeqlabError as error:
        print(f"error: {without_credentials(str(error))}", file=sys.stderr)
        return 1
    except OSError as error:
        if (full := disk_error(error)) is None:
            raise
        print(f"error: {without_credentials(str(full))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
