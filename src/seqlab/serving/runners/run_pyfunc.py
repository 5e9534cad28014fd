"""Tags with an MLflow model; MLflow and TensorFlow are all that this script needs."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

sys.modules["seqlab"] = None  # type: ignore[assignment]  # an import of it anywhere below is an error

import numpy as np  # noqa: E402

BATCH_SIZE = 64


def main(form: str, folder: str, output: str) -> None:
    """Tag the sentences in `folder` as text; -1 where one comes out in other tokens."""
    # By name, because MLflow is `tracking`'s to import, and this script is none of seqlab's own modules.
    model = importlib.import_module("mlflow.pyfunc").load_model(form)
    sentences = json.loads((Path(folder) / "sentences.json").read_text(encoding="utf-8"))
    places = {tag: i for i, tag in enumerate(model.metadata.metadata["tags"])}
    tag_ids: list[int] = []
    probabilities: list[float] = []
    for start in range(0, len(sentences), BATCH_SIZE):
        batch = sentences[start : start + BATCH_SIZE]
        tagged = model.predict([" ".join(sentence) for sentence in batch])
        for sentence, row in zip(batch, tagged, strict=True):
            alike = row["tokens"] == sentence
            tag_ids += [places[tag] for tag in row["tags"]] if alike else [-1] * len(sentence)
            probabilities += row["probabilities"] if alike else [0.0] * len(sentence)
    results: Any = {"pyfunc/tag_ids": np.array(tag_ids), "pyfunc/probabilities": np.array(probabilities)}
    np.savez(output, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
