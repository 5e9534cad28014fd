from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_taggers import TOKENS, WINDOW, make_encoder, make_tagger, tiny_export, tiny_tagger, write_onnx

from seqlab.serving.reference import make_batches, tag_batches


def batch_of(sentences: list[list[str]], *, padding: int = 0) -> dict[str, np.ndarray]:
    """Return the ids of one batch, with `padding` more columns than its longest sentence needs."""
    (batch,) = make_batches(sentences, encoder=make_encoder())
    return {
        name: np.pad(ids, [(0, 0), (0, padding)] + [(0, 0)] * (ids.ndim - 2)) for name, ids in batch.items()
    }


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ner", {"characters": "attention", "positions": "sinusoidal", "head": "crf"}),
        ("ner", {"characters": "bilstm", "positions": "absolute"}),
        ("pos", {"characters": "none", "head": "softmax"}),
    ],
)
def test_every_part_computes_what_the_tagger_computes(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    tiny = make_tagger(kind, **options)
    write_onnx(tiny, tmp_path / "model.onnx")
    batch = batch_of(TOKENS)
    expected = tag_batches(tiny.tagger, [batch], **WINDOW)
    tag_ids, probabilities, mask = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, batch)
    assert mask.sum(axis=1).tolist() == [len(sentence) for sentence in TOKENS]
    np.testing.assert_array_equal(tag_ids[mask], expected[0])
    np.testing.assert_allclose(probabilities[mask], expected[1], atol=1e-5)
    assert not tag_ids[~mask].any()
    assert not probabilities[~mask].any()
    assert len(set(tag_ids[mask].tolist())) > 2


def test_the_file_declares_its_inputs_and_outputs(tmp_path: Path) -> None:
    write_onnx(tiny_tagger("ner"), tmp_path / "model.onnx", metadata={"task": "ner"})
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    assert {put.name: (put.type, put.shape) for put in session.get_inputs()} == {
        "token_ids": ("tensor(int32)", ["batch", "length"]),
        "char_ids": ("tensor(int32)", ["batch", "length", 7]),
        "shape_ids": ("tensor(int32)", ["batch", "length"]),
    }
    assert {put.name: put.type for put in session.get_outputs()} == {
        "tag_ids": "tensor(int32)",
        "probabilities": "tensor(float)",
        "mask": "tensor(bool)",
    }
    assert session.get_modelmeta().custom_metadata_map == {"task": "ner"}
    onnx.checker.check_model(onnx.load(str(tmp_path / "model.onnx")), full_check=True)


_SESSIONS: dict[str, onnxruntime.InferenceSession] = {}


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(("ner", "pos")),
    order=st.lists(st.integers(0, len(TOKENS) - 1), min_size=1, max_size=8),
    padding=st.integers(0, 20),
)
def test_tags_do_not_depend_on_padding_batch_or_order(kind: str, order: list[int], padding: int) -> None:
    if kind not in _SESSIONS:
        _SESSIONS[kind] = onnxruntime.InferenceSession(str(tiny_export(kind) / "model.onnx"))
    session = _SESSIONS[kind]
    tag_ids, _, mask = session.run(None, batch_of([TOKENS[i] for i in order], padding=padding))
    for row, i in enumerate(order):
        alone = session.run(["tag_ids"], batch_of([TOKENS[i]]))[0][0]
        assert tag_ids[row][mask[row]].tolist() == alone.tolist()
