from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_taggers import TOKENS, WINDOW, TinyTagger, make_tagger, tiny_export, tiny_tagger

from seqlab.serving.onnx.onnx_export import export_onnx
from seqlab.serving.rows import make_rows, tag_rows


def batch_of(tiny: TinyTagger, sentences: list[list[str]], *, more: int = 0) -> dict[str, np.ndarray]:
    """Ids of sentences in one batch, with `more` places of padding than they need."""
    length = max(map(len, sentences)) + more
    tables = [tiny.encoder.encode_types(sentence) for sentence in sentences]
    return {
        name: np.stack(
            [
                np.pad(
                    table[name][1:], [(0, length + 1 - len(table[name]))] + [(0, 0)] * (table[name].ndim - 1)
                )
                for table in tables
            ]
        )
        for name in ("token_ids", "char_ids", "shape_ids")
    }


def session_of(tiny: TinyTagger, path: Path) -> onnxruntime.InferenceSession:
    export_onnx(
        tiny.tagger, path, max_token_length=tiny.encoder.max_token_length, metadata={"task": tiny.kind}
    )
    return onnxruntime.InferenceSession(str(path))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ner", {"characters": "cnn", "positions": "relative", "head": "softmax"}),
        ("ner", {"characters": "attention", "positions": "sinusoidal", "head": "crf"}),
        ("ner", {"characters": "bilstm", "positions": "absolute", "norm_first": False}),
        ("pos", {"characters": "none", "head": "softmax"}),
        ("pos", {"characters": "cnn", "head": "crf"}),
    ],
)
def test_every_part_computes_what_the_tagger_computes(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    tiny = make_tagger(kind, **options)
    session = session_of(tiny, tmp_path / "model.onnx")
    sentences = [sentence[: WINDOW["max_length"]] for sentence in TOKENS]
    expected = tag_rows(tiny.tagger, make_rows(sentences, encoder=tiny.encoder, **WINDOW))
    tag_ids, probabilities, mask = session.run(None, batch_of(tiny, sentences))
    assert mask.sum(axis=1).tolist() == [len(sentence) for sentence in sentences]
    np.testing.assert_array_equal(tag_ids[mask], expected[0])
    np.testing.assert_allclose(probabilities[mask], expected[1], atol=1e-5)
    assert not tag_ids[~mask].any()
    assert not probabilities[~mask].any()
    assert len(set(tag_ids[mask].tolist())) > 2


def test_the_file_says_what_it_takes_and_gives(tmp_path: Path) -> None:
    session = session_of(tiny_tagger("ner"), tmp_path / "model.onnx")
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
    more=st.integers(0, 20),
)
def test_padding_and_batch_and_order_change_no_tag(kind: str, order: list[int], more: int) -> None:
    if kind not in _SESSIONS:
        _SESSIONS[kind] = onnxruntime.InferenceSession(str(tiny_export(kind) / "model.onnx"))
    tiny, session = tiny_tagger(kind), _SESSIONS[kind]
    tag_ids, _, mask = session.run(None, batch_of(tiny, [TOKENS[i] for i in order], more=more))
    for row, i in enumerate(order):
        alone = session.run(["tag_ids"], batch_of(tiny, [TOKENS[i]]))[0][0]
        assert tag_ids[row][mask[row]].tolist() == alone.tolist()
