from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_taggers import SENTENCES, TOKENS, WINDOW, load_once, tiny_export, tiny_tagger

from seqlab.errors import SeqlabError
from seqlab.serving.reference import make_batches, tag_batches
from seqlab.serving.saved_model import SIGNATURES, export_saved_model
from seqlab.tags import convert_tags, tags_to_spans

KINDS = ("ner", "pos")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def call(kind: str, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
    """Return the outputs of a signature."""
    outputs = load_once(str(tiny_export(kind))).signatures[signature](**inputs)
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def strings(values: Any) -> tf.Tensor:
    return tf.constant(values, tf.string)


def dense(sentences: list[list[str]], *, padding: int = 0) -> tf.Tensor:
    """Return a matrix of tokens with `padding` more columns than the longest sentence needs."""
    length = max(map(len, sentences)) + padding
    return strings([sentence + [""] * (length - len(sentence)) for sentence in sentences])


def tags_of(outputs: dict[str, np.ndarray]) -> list[list[str]]:
    return [
        [tag.decode() for tag in row[mask]]
        for row, mask in zip(outputs["tags"], outputs["mask"], strict=True)
    ]


def expected(kind: str, *, scheme: str = "IOB2") -> tuple[list[list[str]], list[np.ndarray]]:
    """Return the tags and probabilities of the tagger itself."""
    tiny = tiny_tagger(kind)
    ids, probabilities = tag_batches(tiny.tagger, make_batches(TOKENS, encoder=tiny.encoder), **WINDOW)
    stops = np.cumsum([len(sentence) for sentence in TOKENS])[:-1]
    tags = [[tiny.tags.entries[i] for i in row] for row in np.split(ids, stops)]
    if tiny.spans:
        tags = [list(convert_tags(row, source="BIOES", target=scheme)) for row in tags]
    return tags, np.split(probabilities, stops)


def test_every_string_signature_tags_as_the_tagger(kind: str) -> None:
    tags, probabilities = expected(kind)
    assert len({tag for row in tags for tag in row}) > 2
    flat = [token for sentence in TOKENS for token in sentence]
    lengths = tf.constant([len(sentence) for sentence in TOKENS], tf.int64)
    for outputs in (
        call(kind, "serving_default", sentences=strings(SENTENCES)),
        call(kind, "tokens", tokens=dense(TOKENS)),
        call(kind, "ragged", tokens=strings(flat), row_lengths=lengths),
        call(kind, "text", texts=strings(SENTENCES)),
    ):
        assert tags_of(outputs) == tags
        for row, mask, sentence, exact in zip(
            outputs["probabilities"], outputs["mask"], TOKENS, probabilities, strict=True
        ):
            np.testing.assert_allclose(row[mask], exact, atol=1e-5)
            assert not row[~mask].any()
            assert mask.sum() == len(sentence)
        assert not outputs["tag_ids"][~outputs["mask"]].any()
        assert (outputs["tags"][~outputs["mask"]] == b"").all()
        assert outputs["tokens"][0, 0] == b"Marie"


def test_ids_are_right_padded_rows(kind: str) -> None:
    tiny = tiny_tagger(kind)
    tables = tiny.encoder.encode_types(TOKENS[0])
    inputs = {
        name: tf.constant(np.stack([values[1:], np.roll(values, -1, 0)[1:]]))
        for name, values in tables.items()
    }
    outputs = call(kind, "ids", **inputs)
    assert set(outputs) == {"tag_ids", "probabilities", "mask"}
    assert [tiny.tags.entries[i] for i in outputs["tag_ids"][0]] == expected(kind, scheme="BIOES")[0][0]
    assert outputs["mask"].tolist() == [[True] * 7, [True] * 6 + [False]]
    assert outputs["tag_ids"][1, -1] == 0


def test_spans_are_read_from_the_tags() -> None:
    outputs = call("ner", "serving_default", sentences=strings(SENTENCES))
    for row, tags in enumerate(tags_of(outputs)):
        columns = (outputs[name][row] for name in ("span_types", "span_starts", "span_ends"))
        spans = [(kind.decode(), start, end) for kind, start, end in zip(*columns, strict=True) if start >= 0]
        assert spans == tags_to_spans(tags, scheme="BIOES", lenient=True)
    assert "span_types" not in call("pos", "serving_default", sentences=strings(SENTENCES))


def test_offsets_of_tokens_refer_to_the_text() -> None:
    texts = ["Dr. Smith's in Zürich, 日本!", "one"]
    outputs = call("ner", "text", texts=strings(texts))
    for text, tokens, starts, ends, first, last, mask in zip(
        texts,
        *(outputs[name] for name in ("tokens", "token_starts", "token_ends")),
        *(outputs[name] for name in ("token_byte_starts", "token_byte_ends", "mask")),
        strict=True,
    ):
        for i in np.flatnonzero(mask):
            assert text[starts[i] : ends[i]] == tokens[i].decode()
            assert text.encode()[first[i] : last[i]] == tokens[i]
        assert (starts[~mask] == -1).all()


def test_the_number_of_blanks_between_tokens_is_ignored(kind: str) -> None:
    plain = call(kind, "serving_default", sentences=strings(["Marie Curie ."]))
    spaced = call(kind, "serving_default", sentences=strings(["  Marie   Curie . "]))
    for name, values in plain.items():
        np.testing.assert_array_equal(values, spaced[name])


@pytest.mark.parametrize("sentences", [[], [""], ["", "   "]])
def test_a_batch_without_tokens_has_empty_outputs(kind: str, sentences: list[str]) -> None:
    for outputs in (
        call(kind, "serving_default", sentences=strings(sentences)),
        call(kind, "text", texts=strings(sentences)),
    ):
        assert {values.shape for values in outputs.values()} == {(len(sentences), 0)}


def test_an_empty_text_in_a_batch(kind: str) -> None:
    outputs = call(kind, "text", texts=strings(["", SENTENCES[0], " "]))
    assert tags_of(outputs) == [[], expected(kind)[0][0], []]


def test_a_token_of_100000_characters_and_a_sentence_of_2000_tokens() -> None:
    outputs = call("pos", "text", texts=strings(["x" * 100_000 + " word" * 2000]))
    assert outputs["mask"].sum() == 2001


def test_padding_inside_a_row_raises(kind: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="an empty token"):
        call(kind, "tokens", tokens=strings([["a", "", "b"]]))
    (batch,) = make_batches([["a", "b", "c"]], encoder=tiny_tagger(kind).encoder)
    batch["token_ids"][0, 1] = 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="a token id of 0"):
        call(kind, "ids", **{name: tf.constant(ids) for name, ids in batch.items()})


def test_lengths_that_do_not_add_up_raise(kind: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="row_lengths must add up"):
        call(kind, "ragged", tokens=strings(["a", "b"]), row_lengths=tf.constant([3], tf.int64))


@settings(max_examples=10, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    order=st.lists(st.integers(0, len(TOKENS) - 1), min_size=1, max_size=8),
    padding=st.integers(0, 20),
)
def test_tags_do_not_depend_on_padding_batch_or_order(kind: str, order: list[int], padding: int) -> None:
    alone = [tags_of(call(kind, "tokens", tokens=dense([TOKENS[i]])))[0] for i in order]
    assert tags_of(call(kind, "tokens", tokens=dense([TOKENS[i] for i in order], padding=padding))) == alone
    assert tags_of(call(kind, "serving_default", sentences=strings([SENTENCES[i] for i in order]))) == alone


def test_the_signatures_fit_the_rest_interface(kind: str) -> None:
    """The row format of TensorFlow Serving needs outputs whose first axis is the batch."""
    signatures = load_once(str(tiny_export(kind))).signatures
    assert set(signatures) == set(SIGNATURES)
    takes = {name: signatures[name].structured_input_signature[1] for name in signatures}
    assert {
        name: {key: spec.shape.rank for key, spec in inputs.items()} for name, inputs in takes.items()
    } == {
        "serving_default": {"sentences": 1},
        "tokens": {"tokens": 2},
        "ragged": {"tokens": 1, "row_lengths": 1},
        "text": {"texts": 1},
        "ids": {"token_ids": 2, "char_ids": 3, "shape_ids": 2},
    }
    outputs = call(kind, "serving_default", sentences=strings(SENTENCES))
    assert {values.shape[0] for values in outputs.values()} == {len(SENTENCES)}
    assert all(values.ndim == 2 for values in outputs.values())
    assert {values.dtype.kind for values in outputs.values()} <= {"O", "i", "f", "b"}


def test_a_visible_gpu_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        name = "/physical_device:GPU:0"

    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [Device()])
    tiny = tiny_tagger("ner")
    with pytest.raises(SeqlabError, match=r"traced while a GPU is visible[\s\S]*GPU:0[\s\S]*select_device"):
        export_saved_model(tiny.tagger, tmp_path, encoder=tiny.encoder, tags=tiny.tags, spans=True, **WINDOW)
    assert not list(tmp_path.iterdir())
