"""One thin module per DVC stage: read the parameters, load, call, write.

`python -m seqlab.stages.train ner` is what dvc.yaml runs. A stage runs in the repository's working tree; its
`DVC_ROOT` is the repository itself, which in queued experiments is another folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from seqlab.errors import SeqlabError


def repository_root() -> Path:
    """The repository's root, also where a stage runs in an experiment's temporary copy of it."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def say(text: str) -> None:
    """Print a line of progress at once, also into a pipe."""
    print(text, flush=True)


def run_stage(stage: Callable[..., None], arguments: list[str], *, names: tuple[str, ...] = ()) -> int:
    """Call a stage with its command-line arguments; an error meant for the user comes without a traceback.

    Args:
        stage: called with the arguments by position.
        arguments: `sys.argv[1:]`.
        names: what the arguments are, for the usage line.

    Returns:
        The exit status: 0, 1 after an error, 2 where the arguments are not as `names` says.
    """
    if len(arguments) != len(names):
        print(f"usage: python -m {stage.__module__} {' '.join(names)}", file=sys.stderr)
        return 2
    try:
        stage(*arguments)
    except SeqlabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
