"""Whether a model, its export and its scores come from one run.

`git checkout` restores `dvc.lock` and the scores, which Git stores, but not models and reports, which DVC
stores: without `dvc checkout`, the scores of one run stand beside the model of another.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

from seqlab.errors import SeqlabError


def run_ids(model: Path) -> dict[str, str]:
    """Return the run id in each file that belongs to a model and has one, by the file's path.

    Args:
        model: `models/<task>`, or its folder `export`.
    """
    folder = _folder_of(model)
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
    if len(set(found.values())) > 1:
        expected = "one run id in all of their files"
    elif found and _is_of_another_commit(_folder_of(model)):
        expected = "the files that dvc.lock names"
    else:
        return None
    return SeqlabError(
        "the model, its export and its scores come from different runs",
        where=str(model),
        expected=expected,
        received=", ".join(f"{file}: {run_id[:12]}" for file, run_id in found.items()),
        remedy="after `git checkout` or `git pull`, run `dvc checkout`; "
        "after a stage that failed, run `dvc repro`",
    )


def _folder_of(model: Path) -> Path:
    return model.parent if model.name == "export" else model


def _is_of_another_commit(folder: Path) -> bool:
    """Return whether the train stage in dvc.lock made a `run.json` of this folder with another MD5.

    The text is searched, because parsing its YAML would take longer than loading a tagger.
    """
    try:
        content = (folder / "run.json").read_bytes()
        lock = (folder.parent.parent / "dvc.lock").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    stage = re.search(rf"^  train@{re.escape(folder.name)}:\n(?:   .*\n)*", lock, re.M)
    run_json = re.compile(
        rf"- path: models/{re.escape(folder.name)}/run\.json\n(?: +hash: md5\n)? +md5: (\w+)"
    )
    made = run_json.search(stage[0]) if stage else None
    return made is not None and made[1] != hashlib.md5(content, usedforsecurity=False).hexdigest()


def warn_of_mixed_runs(model: Path) -> None:
    """Print a warning to standard error if the files of a model come from different runs."""
    if mixed := find_mixed_runs(model):
        print(f"warning: {mixed}", file=sys.stderr)
