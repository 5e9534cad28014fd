from __future__ import annotations

import numpy as np
import pytest

from seqlab.batching.auxiliary import AuxiliaryColumn
from seqlab.batching.encoding import read_encoded_split, write_encoded_split
from seqlab.batching.mention_replacement import MentionReplacer
from seqlab.batching.vocabulary import Vocabulary
from seqlab.corpus.sentence import Sentence
from seqlab.tags import convert_tags, tags_to_spans

SENTENCES = [
    ("in Paris , not Rome", "O B-LOC O O B-LOC"),
    ("New York and Los Angeles", "B-LOC I-LOC O B-LOC I-LOC"),
    ("Marie Curie saw Oslo", "B-PER I-PER O B-LOC"),
    ("ask Bo", "O B-PER"),
    ("the United Nations of Earth", "O B-ORG I-ORG I-ORG I-ORG"),
]


@pytest.fixture(params=["IOB1", "IOB2", "BIOES"])
def scheme(request):
    return request.param


@pytest.fixture
def split(tmp_path, encoder, scheme):
    sentences = [
        Sentence(tuple(text.split()), tuple(convert_tags(tags.split(), source="IOB2", target=scheme)))
        for text, tags in SENTENCES
    ]
    tags = Vocabulary(sorted({tag for sentence in sentences for tag in sentence.tags}))
    write_encoded_split(tmp_path / "split", sentences, encoder=encoder, tags=tags)
    return read_encoded_split(tmp_path / "split", tags=tags)


def replacer(split, scheme, *, share=1.0, seed=3):
    numbers = AuxiliaryColumn("number", Vocabulary([]), np.arange(split.num_tokens, dtype=np.int32))
    return MentionReplacer(split, [numbers], tag_scheme=scheme, share=share, seed=seed)


def mentions(split, scheme):
    for tokens, tags in split.sentences():
        for kind, start, stop in tags_to_spans(tags, scheme=scheme):
            yield kind, " ".join(tokens[start:stop])


def test_a_mention_is_replaced_by_one_of_its_type_and_length_and_nothing_else_changes(split, scheme):
    replacing = replacer(split, scheme)
    known = set(mentions(split, scheme))
    seen = set()
    for epoch in range(30):
        replaced, _ = replacing.replaced(epoch)
        for (tokens, tags), (old_tokens, old_tags) in zip(
            replaced.sentences(), split.sentences(), strict=True
        ):
            assert tags == old_tags
            inside = {i for _, start, stop in tags_to_spans(tags, scheme=scheme) for i in range(start, stop)}
            assert [t for i, t in enumerate(tokens) if i not in inside] == [
                t for i, t in enumerate(old_tokens) if i not in inside
            ]
        assert set(mentions(replaced, scheme)) <= known
        seen |= {tokens[1] for tokens, _ in replaced.sentences() if tokens[0] == "in"}
    assert seen == {"Paris", "Rome", "Oslo"}, "every mention of the same kind is drawn"
    assert ("PER", "Bo") in known, "a mention without an equal stays"


def test_a_replacement_brings_its_auxiliary_tags(split, scheme):
    replaced, (numbers,) = replacer(split, scheme).replaced(0)
    np.testing.assert_array_equal(replaced.type_ids, split.type_ids[numbers.tag_ids])
    assert (numbers.tag_ids != np.arange(split.num_tokens)).any()


def test_the_share_of_mentions_is_replaced(split, scheme):
    none, half, whole = (np.zeros(split.num_tokens) for _ in range(3))
    for moved, share in ((none, 0.0), (half, 0.5), (whole, 1.0)):
        replacing = replacer(split, scheme, share=share)
        for epoch in range(2000):
            moved += (replacing.sources(epoch) != np.arange(split.num_tokens)) / 2000
    assert not none.any()
    np.testing.assert_allclose(half, whole / 2, atol=0.04)
    # Two of the three candidates differ for Paris, Rome and Oslo; one of two for New York and Los Angeles.
    expected = {
        "Paris": 2 / 3,
        "Rome": 2 / 3,
        "Oslo": 2 / 3,
        "New": 0.5,
        "York": 0.5,
        "Los": 0.5,
        "Angeles": 0.5,
    }
    tokens = [token for sentence, _ in split.sentences() for token in sentence]
    np.testing.assert_allclose(whole, [expected.get(token, 0.0) for token in tokens], atol=0.04)


def test_the_draw_depends_on_seed_and_epoch(split, scheme):
    first = replacer(split, scheme).sources(1)
    np.testing.assert_array_equal(first, replacer(split, scheme).sources(1))
    others = [replacer(split, scheme).sources(2), replacer(split, scheme, seed=4).sources(1)]
    assert any((other != first).any() for other in others)
