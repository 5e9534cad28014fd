"""Tags with an ONNX model; onnxruntime and NumPy are all that this script needs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.modules["seqlab"] = None  # type: ignore[assignment]  # an import of it anywhere below is an error

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

BATCH_SIZE = 64


def main(form: str, folder: str, output: str) -> None:
    """Tag the rows in `folder` and write what came of it."""
    session = onnxruntime.InferenceSession(form, providers=["CPUExecutionProvider"])
    rows = np.load(Path(folder) / "rows.npz")
    stops = np.cumsum(rows["lengths"])
    tag_ids, probabilities = [], []
    for first in range(0, len(stops), BATCH_SIZE):
        part = slice(stops[first] - rows["lengths"][first], stops[min(first + BATCH_SIZE, len(stops)) - 1])
        lengths = rows["lengths"][first : first + BATCH_SIZE]
        inside = np.arange(lengths.max()) < lengths[:, None]
        batch = {}
        for name in ("token_ids", "char_ids", "shape_ids"):
            batch[name] = np.zeros((*inside.shape, *rows[name].shape[1:]), np.int32)
            batch[name][inside] = rows[name][part]
        ids, chosen, mask = session.run(["tag_ids", "probabilities", "mask"], batch)
        if not np.array_equal(mask, inside):
            raise ValueError("the mask is not that of the rows")
        tag_ids.append(ids[inside][rows["keep"][part]])
        probabilities.append(chosen[inside][rows["keep"][part]])
    results: Any = {
        "onnx/tag_ids": np.concatenate(tag_ids),
        "onnx/probabilities": np.concatenate(probabilities),
    }
    np.savez(output, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
