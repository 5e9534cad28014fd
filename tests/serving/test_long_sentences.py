"""Sentences longer than a window: every form decodes each of them once, as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from tiny_taggers import (
    TOKENS,
    WINDOW,
    TinyTagger,
    load_once,
    make_encoder,
    make_tagger,
    tiny_tagger,
    write_onnx,
)

from seqlab.batching.buckets import Bucket, cut_windows
from seqlab.batching.datasets import evaluation_dataset
from seqlab.batching.encoding import read_encoded_split, write_encoded_split
from seqlab.batching.gathering import BatchGatherer
from seqlab.batching.prediction import predict_tags
from seqlab.corpus.sentence import Sentence
from seqlab.serving.graph.string_tagger import GraphTagger
from seqlab.serving.reference import make_batches, tag_batches
from seqlab.tags import validate_tags

LENGTHS = (300, 12, 13, 1, 299, 25, 300, 47)
RANDOM = np.random.default_rng(11)
WORDS = [token for sentence in TOKENS for token in sentence]
LONG = [[WORDS[i] for i in RANDOM.integers(0, len(WORDS), length)] for length in LENGTHS]
BATCH = make_batches(LONG, encoder=make_encoder())[0]

Tags = list[list[str]]


def evaluation_tags(tiny: TinyTagger, folder: Path) -> Tags:
    sentences = [Sentence(tokens=tuple(tokens), tags=("O",) * len(tokens)) for tokens in LONG]
    write_encoded_split(folder / "split", sentences, encoder=tiny.encoder, tags=tiny.tags)
    split = read_encoded_split(folder / "split", tags=tiny.tags)
    windows = cut_windows(split.offsets, **WINDOW)
    buckets = [Bucket(6, 4), Bucket(WINDOW["max_length"], 4)]
    batches = evaluation_dataset(BatchGatherer(split, windows), windows.length, buckets)
    tagger = tiny.tagger
    rows = predict_tags(tagger.predict_logits, tagger.decode_logits, batches, split=split, windows=windows)
    return [tags for _, _, tags in rows]


def reference_tags(tiny: TinyTagger) -> Tags:
    tag_ids, _ = tag_batches(tiny.tagger, [BATCH], **WINDOW)
    stops = np.cumsum(LENGTHS)[:-1]
    return [[tiny.tags.entries[i] for i in row] for row in np.split(tag_ids, stops)]


def onnx_tags(tiny: TinyTagger, path: Path) -> Tags:
    tag_ids, mask = onnxruntime.InferenceSession(str(path)).run(["tag_ids", "mask"], BATCH)
    return tags_of(tiny, {"tag_ids": tag_ids, "mask": mask})


def tags_of(tiny: TinyTagger, outputs: dict[str, Any]) -> Tags:
    tag_ids, masks = np.asarray(outputs["tag_ids"]), np.asarray(outputs["mask"])
    return [[tiny.tags.entries[i] for i in row[mask]] for row, mask in zip(tag_ids, masks, strict=True)]


def assert_valid(tags: Tags) -> None:
    assert [len(row) for row in tags] == list(LENGTHS)
    assert len({tag for row in tags for tag in row}) > 4
    assert [validate_tags(row, scheme="BIOES") for row in tags] == [None] * len(tags)


def test_every_signature_and_onnx_tag_as_evaluation_does(ner_export: Path, tmp_path: Path) -> None:
    tiny = tiny_tagger("ner")
    tags = evaluation_tags(tiny, tmp_path)
    assert_valid(tags)
    assert reference_tags(tiny) == tags
    assert onnx_tags(tiny, ner_export / "model.onnx") == tags
    model = load_once(str(ner_export))
    joined = tf.constant([" ".join(tokens) for tokens in LONG])
    flat = tf.constant([token for tokens in LONG for token in tokens])
    for signature, inputs in {
        "serving_default": {"sentences": joined},
        "text": {"texts": joined},
        "tokens": {"tokens": tf.ragged.constant(LONG).to_tensor("")},
        "ragged": {"tokens": flat, "row_lengths": tf.constant(LENGTHS, tf.int64)},
        "ids": {name: tf.constant(ids) for name, ids in BATCH.items()},
    }.items():
        assert tags_of(tiny, model.signatures[signature](**inputs)) == tags, signature


@pytest.mark.parametrize(
    ("encoder", "head"), [("bilstm", "crf"), ("bilstm", "softmax"), ("transformer", "crf")]
)
def test_every_encoder_and_head_give_valid_tags(encoder: str, head: str, tmp_path: Path) -> None:
    tiny = make_tagger("ner", encoder=encoder, head=head, positions="absolute")
    tags = evaluation_tags(tiny, tmp_path)
    assert_valid(tags)
    write_onnx(tiny, tmp_path / "model.onnx")
    assert onnx_tags(tiny, tmp_path / "model.onnx") == tags
    if head == "crf":
        graph = GraphTagger(tiny.tagger, encoder=tiny.encoder, tags=tiny.tags, spans=False, **WINDOW)
        outputs = graph.tag_ids(**{name: tf.constant(ids) for name, ids in BATCH.items()})
        assert tags_of(tiny, outputs) == tags
