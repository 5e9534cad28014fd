"""The `seqlab` command: parse, call once, return."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

import seqlab
from seqlab.credentials import protect_output, without_credentials
from seqlab.errors import SeqlabError, disk_error
from seqlab.stages import configure_logging

COMMANDS = (
    "summary", "ui", "check", "convert", "corpora", "tag", "evaluate", "card", "promote",
    "compare", "runs", "reproduce", "sweep", "errors", "replay", "verify", "quick", "completion",
)  # fmt: skip


class _Version(argparse.Action):
    """`--version`, whose number is looked up only if it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"seqlab {seqlab.__version__}")
        parser.exit()


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the examples, and wraps those of the description."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of all commands, or of `only` one; its help shows the command's examples."""
    parser = argparse.ArgumentParser(
        prog="seqlab",
        description="Train, inspect and use sequence taggers whose results can be traced.",
        epilog="`seqlab COMMAND --help` describes a command and shows examples.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    _add_logging_options(parser)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS if only is None else (only,):
        module = importlib.import_module(f"seqlab.commands.{name}")
        module.add_parser(subparsers)
        command = subparsers.choices[name]
        command.formatter_class = _HelpFormatter
        command.epilog = "\n  ".join(["examples:", *getattr(module, "EXAMPLES", ())])
        _add_logging_options(command)
    return parser


def _add_logging_options(parser: argparse.ArgumentParser) -> None:
    """Add `--verbose` and `--quiet`, which may stand before and after the command."""
    options = parser.add_mutually_exclusive_group()
    options.add_argument(
        "-v", "--verbose", dest="log_level", action="store_const", const=logging.INFO,
        default=argparse.SUPPRESS, help="show what is done, on stderr",
    )  # fmt: skip
    options.add_argument(
        "-q", "--quiet", dest="log_level", action="store_const", const=logging.ERROR,
        default=argparse.SUPPRESS, help="show neither progress nor warnings",
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, 1 after an error, 2 for wrong usage, 130 after Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    # The other commands would import libraries that this one does not need.
    parser = build_parser(named if named in COMMANDS and named != "completion" else None)
    parsed = parser.parse_args(arguments)
    parsed.parser = parser
    if "log_level" in parsed:
        configure_logging(sys.stderr, level=parsed.log_level)
    protect_output()
    try:
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except SeqlabError as error:
        print(f"error: {without_credentials(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # what reads the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit must not fail
        return 0
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
