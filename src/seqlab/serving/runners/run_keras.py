"""Tags with a `.keras` file, reloaded in safe mode with seqlab imported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.modeling.device import select_device
from seqlab.serving.float32 import load_tagger
from seqlab.serving.rows import tag_rows


def main(form: str, folder: str, output: str) -> None:
    """Tag the rows in `folder` and write what came of it."""
    select_device("cpu")
    rows = dict(np.load(Path(folder) / "rows.npz"))
    tag_ids, probabilities = tag_rows(load_tagger(Path(form)), rows)
    results: Any = {"keras/tag_ids": tag_ids, "keras/probabilities": probabilities}
    np.savez(output, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
