"""Tags with every signature of a SavedModel; TensorFlow is all that this script needs, and may have."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.modules["seqlab"] = None  # type: ignore[assignment]  # an import of it anywhere below is an error

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

BATCH_SIZE = 64
Sentences = list[list[str]]
Call = Callable[[Sentences], dict[str, Any]]


def main(form: str, folder: str, output: str) -> None:
    """Tag the sentences in `folder` by each signature and write what came of it."""
    model = tf.saved_model.load(form)  # holds the weights while its signatures are used
    sentences: Sentences = json.loads((Path(folder) / "sentences.json").read_text(encoding="utf-8"))
    rows = np.load(Path(folder) / "rows.npz")
    results = dict(tag_ids(model.signatures["ids"], rows))
    for name, call in string_calls(model.signatures).items():
        results.update(tag_strings(name, call, sentences))
    np.savez(output, **results)


def string_calls(signatures: Any) -> dict[str, Call]:
    """The signatures that take strings, each as a function of a batch of sentences."""

    def joined(batch: Sentences) -> Any:
        return tf.constant([" ".join(sentence) for sentence in batch])

    def dense(batch: Sentences) -> Any:
        return tf.ragged.constant(batch, dtype=tf.string).to_tensor("")

    def flat(batch: Sentences) -> dict[str, Any]:
        tokens = [token for sentence in batch for token in sentence]
        lengths = [len(sentence) for sentence in batch]
        return {"tokens": tf.constant(tokens), "row_lengths": tf.constant(lengths, tf.int64)}

    return {
        "serving_default": lambda batch: signatures["serving_default"](sentences=joined(batch)),
        "tokens": lambda batch: signatures["tokens"](tokens=dense(batch)),
        "ragged": lambda batch: signatures["ragged"](**flat(batch)),
        "text": lambda batch: signatures["text"](texts=joined(batch)),
    }


def tag_strings(name: str, call: Call, sentences: Sentences) -> Iterator[tuple[str, Any]]:
    """Tag ids and probabilities; -1 where a sentence comes out in other tokens than it has."""
    ids: list[Any] = []
    probabilities: list[Any] = []
    for start in range(0, len(sentences), BATCH_SIZE):
        batch = sentences[start : start + BATCH_SIZE]
        outputs = {key: tensor.numpy() for key, tensor in call(batch).items()}
        for row, sentence in enumerate(batch):
            mask = outputs["mask"][row]
            found = [token.decode() for token in outputs["tokens"][row][mask]]
            alike = found == sentence
            ids.append(outputs["tag_ids"][row][mask] if alike else np.full(len(sentence), -1))
            probabilities.append(outputs["probabilities"][row][mask] if alike else np.zeros(len(sentence)))
    yield f"{name}/tag_ids", np.concatenate(ids).astype(np.int32)
    yield f"{name}/probabilities", np.concatenate(probabilities).astype(np.float32)


def tag_ids(signature: Any, rows: Any) -> Iterator[tuple[str, Any]]:
    """Tag ids and probabilities of the rows, whose kept places are the tokens in order."""
    stops = np.cumsum(rows["lengths"])
    outputs: dict[str, list[Any]] = {"tag_ids": [], "probabilities": []}
    for first in range(0, len(stops), BATCH_SIZE):
        part = slice(stops[first] - rows["lengths"][first], stops[min(first + BATCH_SIZE, len(stops)) - 1])
        lengths = rows["lengths"][first : first + BATCH_SIZE]
        inside = np.arange(lengths.max()) < lengths[:, None]
        batch = {}
        for name in ("token_ids", "char_ids", "shape_ids"):
            batch[name] = np.zeros((*inside.shape, *rows[name].shape[1:]), np.int32)
            batch[name][inside] = rows[name][part]
        result = signature(**{name: tf.constant(values) for name, values in batch.items()})
        for name, parts in outputs.items():
            parts.append(result[name].numpy()[inside][rows["keep"][part]])
    for name, parts in outputs.items():
        yield f"ids/{name}", np.concatenate(parts)


if __name__ == "__main__":
    main(*sys.argv[1:])
