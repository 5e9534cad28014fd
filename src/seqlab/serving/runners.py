"""Tag real sentences with exported forms, as a script in a new process.

`python runners.py FOLDER FORM PATH [FORM PATH ...]`: the folder of the sentences from `serving.parity`,
keys of `RUNNERS`, and the exported files or folders. For each way of calling a form, FOLDER/FORM.npz contains
the tag ids and their probabilities, both (tokens,); a tag id of -1 is a token of a sentence that the form
splits into other tokens.

Only the form `tag` (the ONNX files as `seqlab tag` uses them) may import seqlab: the others have to run
without it.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

BATCH_SIZE = 64

Sentences = list[list[str]]
Batch = dict[str, np.ndarray]
Result = tuple[str, list[Any], list[Any]]
"""A way of calling the form, and parts of the tag ids and of their probabilities."""


class Inputs(NamedTuple):
    """The same sentences as tokens and as padded batches of ids, and the windows of long sentences."""

    sentences: Sentences
    batches: list[Batch]
    window: dict[str, int]


def run_onnx(path: str, inputs: Inputs) -> Iterator[Result]:
    """Tag with an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = ["tag_ids", "probabilities", "mask"]
    yield _tag_batches("onnx", inputs, lambda batch: dict(zip(names, session.run(names, batch), strict=True)))


def run_pyfunc(path: str, inputs: Inputs) -> Iterator[Result]:
    """Tag with an MLflow model."""
    # Imported by name: in seqlab only `tracking` and the MLflow model itself import mlflow.
    model = importlib.import_module("mlflow.pyfunc").load_model(path)
    ids = {tag: i for i, tag in enumerate(model.metadata.metadata["tags"])}

    def tag(batch: Sentences) -> Iterator[tuple[list[str], Any, Any]]:
        for row in model.predict([" ".join(sentence) for sentence in batch]):
            yield row["tokens"], [ids[tag] for tag in row["tags"]], row["probabilities"]

    yield _tag_sentences("pyfunc", inputs, tag)


def run_saved_model(path: str, inputs: Inputs) -> Iterator[Result]:
    """Tag with every signature of a SavedModel."""
    import tensorflow as tf

    model = tf.saved_model.load(path)  # holds the weights while its signatures are used

    def joined(batch: Sentences) -> Any:
        return tf.constant([" ".join(sentence) for sentence in batch])

    arguments: dict[str, Callable[[Sentences], dict[str, Any]]] = {
        "serving_default": lambda batch: {"sentences": joined(batch)},
        "text": lambda batch: {"texts": joined(batch)},
        "tokens": lambda batch: {"tokens": tf.ragged.constant(batch, dtype=tf.string).to_tensor("")},
        "ragged": lambda batch: {
            "tokens": tf.constant([token for sentence in batch for token in sentence]),
            "row_lengths": tf.constant([len(sentence) for sentence in batch], tf.int64),
        },
    }

    def call(signature: str, tensors: dict[str, Any]) -> dict[str, Any]:
        return {name: values.numpy() for name, values in model.signatures[signature](**tensors).items()}

    def tag(signature: str, batch: Sentences) -> Iterator[tuple[list[str], Any, Any]]:
        outputs = call(signature, arguments[signature](batch))
        for row, mask in enumerate(outputs["mask"]):
            tokens, *columns = (outputs[name][row][mask] for name in ("tokens", "tag_ids", "probabilities"))
            yield [token.decode() for token in tokens], *columns

    for signature in arguments:
        yield _tag_sentences(signature, inputs, partial(tag, signature))
    yield _tag_batches(
        "ids", inputs, lambda batch: call("ids", {name: tf.constant(ids) for name, ids in batch.items()})
    )


def run_tag(path: str, inputs: Inputs) -> Iterator[Result]:
    """Tag with the ONNX files as `seqlab tag` does: raw text, tokens, and tokens with quantised weights."""
    from seqlab.serving.tagging.onnx_tagger import OnnxTagger

    tagger, quantised = OnnxTagger(Path(path)), OnnxTagger(Path(path), int8=True)
    ids = {tag: i for i, tag in enumerate(tagger.config["tags"])}

    def tag(batch: Sentences) -> Iterator[tuple[list[str], Any, Any]]:
        for row in tagger.tag([" ".join(sentence) for sentence in batch]):
            forms, _, _, tags, probabilities = zip(*row.tokens, strict=True)
            yield list(forms), [ids[tag] for tag in tags], probabilities

    yield _tag_sentences("text", inputs, tag)
    tokens = [token for sentence in inputs.sentences for token in sentence]
    row_lengths = np.array([len(sentence) for sentence in inputs.sentences])
    for name, form in (("tokens", tagger), (INT8, quantised)):
        tag_ids, probabilities = form.tag_tokens(tokens, row_lengths)
        yield name, [tag_ids], [probabilities]


INT8 = "int8"
"""The way of calling the form `tag` whose tags may differ."""

RUNNERS = {
    "saved_model": run_saved_model,
    "onnx": run_onnx,
    "pyfunc": run_pyfunc,
    "tag": run_tag,
}


PROCESSES = (("saved_model", "pyfunc"), ("onnx",), ("tag",))
"""Which forms share a process. Each process imports TensorFlow and MLflow or neither, at most once."""

SEQLAB_FORM = "tag"
"""The form whose runner imports seqlab."""


def _tag_batches(name: str, inputs: Inputs, call: Callable[[Batch], dict[str, Any]]) -> Result:
    outputs = [call(batch) for batch in inputs.batches]
    masks = [batch["token_ids"] != 0 for batch in inputs.batches]
    if not all(np.array_equal(output["mask"], mask) for output, mask in zip(outputs, masks, strict=True)):
        raise ValueError(f"{name}: the mask differs from the padding of the input")
    tag_ids, probabilities = (
        [output[key][mask] for output, mask in zip(outputs, masks, strict=True)]
        for key in ("tag_ids", "probabilities")
    )
    return name, tag_ids, probabilities


def _tag_sentences(
    name: str, inputs: Inputs, tag: Callable[[Sentences], Iterable[tuple[list[str], Any, Any]]]
) -> Result:
    tag_ids, probabilities = [], []
    for first in range(0, len(inputs.sentences), BATCH_SIZE):
        batch = inputs.sentences[first : first + BATCH_SIZE]
        for sentence, (tokens, ids, scores) in zip(batch, tag(batch), strict=True):
            is_same = tokens == sentence
            tag_ids.append(ids if is_same else np.full(len(sentence), -1))
            probabilities.append(scores if is_same else np.zeros(len(sentence)))
    return name, tag_ids, probabilities


def main(folder: str, *forms: str) -> None:
    """Tag the sentences in `folder` with each form in every way of calling it, and write the results."""
    written = json.loads((Path(folder) / "sentences.json").read_text(encoding="utf-8"))
    with np.load(Path(folder) / "batches.npz") as arrays:
        names = ("token_ids", "char_ids", "shape_ids")
        batches = [{name: arrays[f"{name}/{i}"] for name in names} for i in range(len(arrays.files) // 3)]
    inputs = Inputs(written["sentences"], batches, written["window"])
    for form, path in zip(forms[::2], forms[1::2], strict=True):
        results: dict[str, Any] = {}
        for name, tag_ids, probabilities in RUNNERS[form](path, inputs):
            results[f"{name}/tag_ids"] = np.concatenate(tag_ids).astype(np.int32)
            results[f"{name}/probabilities"] = np.concatenate(probabilities).astype(np.float32)
        np.savez(Path(folder) / f"{form}.npz", **results)


if __name__ == "__main__":
    if SEQLAB_FORM not in sys.argv:
        sys.modules["seqlab"] = None  # type: ignore[assignment]  # importing it from here on raises
    main(*sys.argv[1:])
