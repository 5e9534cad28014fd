from __future__ import annotations

import numpy as np
import pytest
from distinct_types import characters_of

from seqlab.batching import mention_replacement
from seqlab.batching.auxiliary import AuxiliaryColumn
from seqlab.batching.buckets import cut_windows
from seqlab.batching.encoding import read_encoded_split, write_encoded_split
from seqlab.batching.gathering import BatchGatherer
from seqlab.batching.mention_replacement import MentionReplacer, continues_mention, find_mentions
from seqlab.batching.planning import PlannedBatch
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


def sources(split, *, epoch, share=1.0, seed=3):
    """For each token, the position from which it is read."""
    whole = np.arange(split.num_tokens)[None]
    replaced = MentionReplacer(split, share=share, seed=seed).replaced(epoch)
    return replaced.positions(whole, np.array([0]), np.array([split.num_tokens]))[0]


def sentences_read(split, positions):
    tokens = [split.types[i] for i in split.type_ids[positions]]
    for start, stop in zip(split.offsets[:-1], split.offsets[1:], strict=True):
        yield tokens[start:stop]


def mentions(sentences, split, scheme):
    for tokens, (_, tags) in zip(sentences, split.sentences(), strict=True):
        for kind, start, stop in tags_to_spans(tags, scheme=scheme):
            yield kind, " ".join(tokens[start:stop])


@pytest.mark.parametrize("tokens_at_once", [1, 6, 1 << 20])
def test_the_mentions_found_are_the_spans_of_the_sentences(split, scheme, monkeypatch, tokens_at_once):
    monkeypatch.setattr(mention_replacement, "_TOKENS_AT_ONCE", tokens_at_once)
    expected = [
        (kind, int(offset) + start, stop - start)
        for offset, (_, tags) in zip(split.offsets, split.sentences(), strict=False)
        for kind, start, stop in tags_to_spans(tags, scheme=scheme)
    ]
    starts, lengths, types = find_mentions(split)
    assert list(zip(starts, lengths, strict=True)) == [(start, length) for _, start, length in expected]
    kinds = [kind for kind, _, _ in expected]
    assert len(set(zip(types.tolist(), kinds, strict=True))) == len(set(kinds)) == len(set(types.tolist()))
    inside = {start + i for _, start, length in expected for i in range(1, length)}
    assert np.flatnonzero(continues_mention(split, 0, split.num_tokens)).tolist() == sorted(inside)


def test_a_mention_is_replaced_by_one_of_its_type_and_length_and_nothing_else_changes(split, scheme):
    originals = [tokens for tokens, _ in split.sentences()]
    known = set(mentions(originals, split, scheme))
    outside = np.ones(split.num_tokens, bool)
    for start, length in zip(*find_mentions(split)[:2], strict=True):
        outside[start : start + length] = False
    seen = set()
    for epoch in range(30):
        positions = sources(split, epoch=epoch)
        np.testing.assert_array_equal(positions[outside], np.flatnonzero(outside))
        read = list(sentences_read(split, positions))
        assert set(mentions(read, split, scheme)) <= known
        seen |= {tokens[1] for tokens in read if tokens[0] == "in"}
    assert seen == {"Paris", "Rome", "Oslo"}, "every mention of the same kind is drawn"
    assert ("PER", "Bo") in known, "a mention without an equal stays"


def test_a_replacement_brings_its_auxiliary_tags_and_keeps_the_tags_of_the_task(split):
    numbers = AuxiliaryColumn("number", Vocabulary([]), np.arange(split.num_tokens, dtype=np.int32))
    windows = cut_windows(split.offsets, max_length=8)
    gatherer = BatchGatherer(split, windows, auxiliary=[numbers])
    batch = PlannedBatch(8, np.array([3, 0, 4, 1, 2]))
    replaced = MentionReplacer(split, share=1.0, seed=3).replaced(0)
    plain, changed = gatherer.gather(batch), gatherer.gather(batch, replaced=replaced)
    np.testing.assert_array_equal(changed.tag_ids, plain.tag_ids)
    real = changed.sample_weight > 0
    read = changed.auxiliary_ids[real][:, 0]
    assert (read != plain.auxiliary_ids[real][:, 0]).any()
    np.testing.assert_array_equal(read, sources(split, epoch=0)[plain.auxiliary_ids[real][:, 0]])
    characters = characters_of(changed.features)[real][:, : split.features["char_ids"].shape[1]]
    np.testing.assert_array_equal(characters, split.features["char_ids"][split.type_ids[read]])


def test_a_mention_that_reaches_beyond_its_row_stays(split):
    whole = np.arange(split.num_tokens)
    replaced = MentionReplacer(split, share=1.0, seed=3).replaced(0)
    for stop in range(1, split.num_tokens):
        rows = whole[None, :stop]
        positions = replaced.positions(rows, np.array([0]), np.array([stop]))[0]
        starts, lengths, _ = find_mentions(split)
        cut = (starts < stop) & (starts + lengths > stop)
        for start in starts[cut]:
            np.testing.assert_array_equal(positions[start:], whole[start:stop])


def test_the_share_of_mentions_is_replaced(split):
    none, half, whole = (np.zeros(split.num_tokens) for _ in range(3))
    for moved, share in ((none, 0.0), (half, 0.5), (whole, 1.0)):
        for epoch in range(2000):
            moved += (sources(split, epoch=epoch, share=share) != np.arange(split.num_tokens)) / 2000
    assert not none.any()
    np.testing.assert_allclose(half, whole / 2, atol=0.04)
    # Two of the three candidates differ for Paris, Rome and Oslo; one of two for New York and Los Angeles.
    expected = dict.fromkeys(("Paris", "Rome", "Oslo"), 2 / 3) | dict.fromkeys(
        ("New", "York", "Los", "Angeles"), 0.5
    )
    tokens = [token for sentence, _ in split.sentences() for token in sentence]
    np.testing.assert_allclose(whole, [expected.get(token, 0.0) for token in tokens], atol=0.04)


def test_the_draw_depends_on_seed_and_epoch(split):
    first = sources(split, epoch=1)
    np.testing.assert_array_equal(first, sources(split, epoch=1))
    others = [sources(split, epoch=2), sources(split, epoch=1, seed=4)]
    assert any((other != first).any() for other in others)
