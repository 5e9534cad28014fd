"""How far a download is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes expected in all, None where not known."""


def no_progress(done: int, total: int | None) -> None:
    """Report nothing."""


@contextmanager
def download_progress(name: str) -> Iterator[Report]:
    """Show one download's progress on stderr while the block runs.

    On a terminal it is a bar; elsewhere (a log file, a DVC stage in a pipe) one line at the start and one
    at each further tenth, so that a log stays readable.

    Args:
        name: the file, as it is called in the line.

    Yields:
        The function to call with `(bytes here, bytes in all)`.
    """
    if sys.stderr.isatty():
        with _progress_bar(name) as report:
            yield report
    else:
        yield _line_printer(name)


@contextmanager
def _progress_bar(name: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=None)

        def report(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield report


def _line_printer(name: str) -> Report:
    last_tenth = -1

    def report(done: int, total: int | None) -> None:
        nonlocal last_tenth
        tenth = 10 * done // total if total else 0
        if tenth > last_tenth:
            last_tenth = tenth
            of_all = f" of {total:,} bytes ({10 * tenth}%)" if total else " bytes"
            print(f"{name}: {done:,}{of_all}", file=sys.stderr, flush=True)

    return report
