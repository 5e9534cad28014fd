"""Whether a model, its export and its scores come from one run.

`git checkout` restores metrics, which Git stores, but not models, which DVC stores: without `dvc checkout`,
the scores of one run stand beside the model of another.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from seqlab.errors import SeqlabError


def run_ids(model: Path) -> dict[str, str]:
    """Return the run id in each file that belongs to a model and has one, by the file's path.

    Args:
        model: `models/<task>`, or its folder `export`.
    """
    folder = model.parent if model.name == "export" else model
    files = [
        folder / "run.json",
        folder / "export" / "config.json",
        folder.parent.parent / "metrics" / folder.name / "evaluate.json",
    ]
    found = {}
    for file in files:
        try:
            run_id = json.loads(file.read_text(encoding="utf-8")).get("run_id")
        except (OSError, ValueError, AttributeError):  # whoever needs this file reports what is wrong with it
            continue
        if isinstance(run_id, str):
            found[str(file)] = run_id
    return found


def find_mixed_runs(model: Path) -> SeqlabError | None:
    """Return the error that the files of a model come from different runs; None if they do not."""
    found = run_ids(model)
    if len(set(found.values())) < 2:
        return None
    return SeqlabError(
        "the model, its export and its scores come from different runs",
        where=str(model),
        expected="one run id in all of their files",
        received=", ".join(f"{file}: {run_id[:12]}" for file, run_id in found.items()),
        remedy="after `git checkout` or `git pull`, run `dvc checkout`; "
        "after a stage that failed, run `dvc repro`",
    )


def warn_of_mixed_runs(model: Path) -> None:
    """Print a warning to standard error if the files of a model come from different runs."""
    if mixed := find_mixed_runs(model):
        print(f"warning: {mixed}", file=sys.stderr)
