from __future__ import annotations

import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.serving.graph.span_reader import SpanReader
from seqlab.tags import spans_to_tags, tags_to_spans

TAGS = ["<pad>", "<unk>", "O", *(f"{prefix}-{kind}" for kind in ("PER", "LOC-X") for prefix in "BIESLU")]
READER = SpanReader(TAGS)


def read(sentences: list[list[str]]) -> list[list[tuple[str, int, int]]]:
    ids = [TAGS.index(tag) for sentence in sentences for tag in sentence]
    lengths = [len(sentence) for sentence in sentences]
    _, spans = READER(tf.constant(ids, tf.int32), tf.constant(lengths, tf.int64))
    rows = zip(*(spans[f"span_{name}"].numpy() for name in ("types", "starts", "ends")), strict=True)
    return [
        [(kind.decode(), int(start), int(end)) for kind, start, end in zip(*row, strict=True) if start >= 0]
        for row in rows
    ]


def test_spans_are_padded_to_the_largest_number_in_a_sentence() -> None:
    ids = [TAGS.index(tag) for tag in ("S-PER", "B-PER", "E-PER", "O")]
    tags, spans = READER(tf.constant(ids), tf.constant([3, 0, 1], tf.int64))
    assert tags.numpy().tolist() == [b"B-PER", b"B-PER", b"I-PER", b"O"]
    assert spans["span_types"].numpy().tolist() == [[b"PER", b"PER"], [b"", b""], [b"", b""]]
    assert spans["span_starts"].numpy().tolist() == [[0, 1], [-1, -1], [-1, -1]]
    assert spans["span_ends"].numpy().tolist() == [[1, 3], [-1, -1], [-1, -1]]


def test_spans_end_with_their_sentence() -> None:
    assert read([["B-PER", "I-PER"], ["I-PER", "E-PER"]]) == [[("PER", 0, 2)], [("PER", 0, 2)]]


def test_a_batch_without_tags_has_no_spans() -> None:
    assert read([]) == []
    assert read([[]]) == [[]]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from(TAGS[1:]), max_size=9), min_size=1, max_size=4))
def test_any_tags_are_read_as_conlleval_reads_them(sentences: list[list[str]]) -> None:
    expected = [tags_to_spans(tags, scheme="BIOES", lenient=True) for tags in sentences]
    assert read(sentences) == expected
    ids = tf.constant([TAGS.index(tag) for sentence in sentences for tag in sentence], tf.int32)
    tags, _ = READER(ids, tf.constant([*map(len, sentences)], tf.int64))
    assert [tag.decode() for tag in tags.numpy()] == [
        tag
        for spans, sentence in zip(expected, sentences, strict=True)
        for tag in spans_to_tags(spans, length=len(sentence), scheme="IOB2")
    ]
