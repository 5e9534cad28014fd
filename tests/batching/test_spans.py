from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.batching.spans import SpanFinder
from seqlab.tags import split_tag, tags_to_spans

TAGS = ["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC"))]


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from(range(len(TAGS))), min_size=1, max_size=8), min_size=1, max_size=5))
def test_spans_are_those_of_each_sentence_read_alone(sentences):
    """Any sequence, valid or not."""
    lengths = [len(sentence) for sentence in sentences]
    sentence_starts = np.cumsum(lengths) - lengths
    finder = SpanFinder([split_tag(tag) for tag in TAGS])
    tag_ids = np.concatenate(sentences)
    expected = [
        (int(offset) + start, int(offset) + stop, entity_type)
        for offset, sentence in zip(sentence_starts, sentences, strict=True)
        for entity_type, start, stop in tags_to_spans(
            [TAGS[i] for i in sentence], scheme="BIOES", lenient=True
        )
    ]
    starts, ends, types = finder.find(tag_ids, sentence_starts)
    found = zip(starts.tolist(), ends.tolist(), (finder.entity_types[i] for i in types), strict=True)
    assert list(found) == expected
    inside = {i for start, stop, _ in expected for i in range(start + 1, stop)}
    assert set(np.flatnonzero(finder.continues(tag_ids, sentence_starts)).tolist()) == inside


def test_no_token_has_no_span():
    nothing = np.zeros(0, np.int64)
    assert [len(part) for part in SpanFinder([("O", "")]).find(nothing, nothing)] == [0, 0, 0]
