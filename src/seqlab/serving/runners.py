"""Tag real sentences with exported forms, as a script in a new process.

`python runners.py FORM...`, keys of `RUNNERS`, imports what the forms need and waits for a line on standard
input: a JSON list of the folder of the sentences from `serving.parity`, and a name and a path for each form.
For each way of calling a form, FOLDER/FORM.npz then contains the tag ids and their probabilities, both
(tokens,); a tag id of -1 is a token of a sentence that the form splits into other tokens.

Only the form `tag` (the ONNX files as `seqlab tag` uses them) may import seqlab: the others have to run
without it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

BATCH_SIZE = 64

Sentences = list[list[str]]
Batch = dict[str, np.ndarray]
Result = tuple[str, dict[str, list[Any]]]
"""A way of calling the form, and parts of its `tag_ids`, `tags` (one or both) and `probabilities`."""


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

    def tag(batch: Sentences) -> Iterator[dict[str, Any]]:
        yield from model.predict([" ".join(sentence) for sentence in batch])

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

    def tag(signature: str, batch: Sentences) -> Iterator[dict[str, Any]]:
        outputs = call(signature, arguments[signature](batch))
        for row, mask in enumerate(outputs["mask"]):
            columns = {name: outputs[name][row][mask] for name in ("tokens", "tags", *COLUMNS)}
            strings = {name: [x.decode() for x in columns[name]] for name in ("tokens", "tags")}
            yield columns | strings

    for signature in arguments:
        if signature not in model.signatures:  # the tokenizer of its pretrained encoder is not in the graph
            continue
        yield _tag_sentences(signature, inputs, partial(tag, signature))
    yield _tag_batches(
        "ids", inputs, lambda batch: call("ids", {name: tf.constant(ids) for name, ids in batch.items()})
    )


def run_tag(path: str, inputs: Inputs) -> Iterator[Result]:
    """Tag with the ONNX files as `seqlab tag` does: raw text, tokens, and tokens with quantised weights."""
    from seqlab.serving.tagging.onnx_tagger import OnnxTagger

    tagger, quantised = OnnxTagger(Path(path)), OnnxTagger(Path(path), int8=True)

    def tag(batch: Sentences) -> Iterator[dict[str, Any]]:
        for row in tagger.tag([" ".join(sentence) for sentence in batch]):
            forms, _, _, _, probabilities = zip(*row.tokens, strict=True)
            yield {"tokens": list(forms), "tags": row.tags, "probabilities": probabilities}

    yield _tag_sentences("text", inputs, tag)
    tokens = [token for sentence in inputs.sentences for token in sentence]
    row_lengths = np.array([len(sentence) for sentence in inputs.sentences])
    for name, form in (("tokens", tagger), (INT8, quantised)):
        tag_ids, probabilities = form.tag_tokens(tokens, row_lengths)
        yield name, {"tag_ids": [tag_ids], "probabilities": [probabilities]}


COLUMNS = ("tag_ids", "probabilities")
_MISSING: dict[str, Any] = {"tag_ids": -1, "tags": "", "probabilities": 0.0}

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

IMPORTS = {
    "saved_model": "tensorflow",
    "onnx": "onnxruntime",
    "pyfunc": "mlflow.pyfunc",
    "tag": "onnxruntime",
}
"""What is imported while the process waits."""

PLAIN_GRAPHS = "SEQLAB_PLAIN_GRAPHS"
"""As in `seqlab.modeling.device`, which a process without seqlab cannot import."""

SEQLAB_FORM = "tag"
"""The form whose runner imports seqlab."""


def _tag_batches(name: str, inputs: Inputs, call: Callable[[Batch], dict[str, Any]]) -> Result:
    outputs = [call(batch) for batch in inputs.batches]
    masks = [batch["token_ids"] != 0 for batch in inputs.batches]
    if not all(np.array_equal(output["mask"], mask) for output, mask in zip(outputs, masks, strict=True)):
        raise ValueError(f"{name}: the mask differs from the padding of the input")
    return name, {
        key: [output[key][mask] for output, mask in zip(outputs, masks, strict=True)] for key in COLUMNS
    }


def _tag_sentences(name: str, inputs: Inputs, tag: Callable[[Sentences], Iterable[dict[str, Any]]]) -> Result:
    columns: dict[str, list[Any]] = {}
    for first in range(0, len(inputs.sentences), BATCH_SIZE):
        batch = inputs.sentences[first : first + BATCH_SIZE]
        for sentence, row in zip(batch, tag(batch), strict=True):
            for key, missing in _MISSING.items():
                if key in row:
                    is_same = row["tokens"] == sentence
                    column = row[key] if is_same else [missing] * len(sentence)
                    columns.setdefault(key, []).append(column)
    return name, columns


def main(folder: str, *forms: str) -> None:
    """Tag the sentences in `folder` with each form in every way of calling it, and write the results."""
    written = json.loads((Path(folder) / "sentences.json").read_text(encoding="utf-8"))
    with np.load(Path(folder) / "batches.npz") as arrays:
        names = {file.partition("/")[0] for file in arrays.files}
        number = len(arrays.files) // len(names)
        batches = [{name: arrays[f"{name}/{i}"] for name in names} for i in range(number)]
    inputs = Inputs(written["sentences"], batches, written["window"])
    for form, path in zip(forms[::2], forms[1::2], strict=True):
        results: dict[str, Any] = {}
        for name, columns in RUNNERS[form](path, inputs):
            results |= {f"{name}/{key}": np.concatenate(parts) for key, parts in columns.items()}
        np.savez(Path(folder) / f"{form}.npz", **results)


if __name__ == "__main__":
    if SEQLAB_FORM not in sys.argv:
        sys.modules["seqlab"] = None  # type: ignore[assignment]  # importing it from here on raises
    gc.disable()  # imports make no garbage worth the search
    for form in sys.argv[1:]:
        library = importlib.import_module(IMPORTS[form])
        if IMPORTS[form] == "tensorflow" and PLAIN_GRAPHS in os.environ:
            library.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    gc.freeze()
    gc.enable()
    if line := sys.stdin.readline():
        main(*json.loads(line))
