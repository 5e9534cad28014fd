from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.batching.buckets import cut_windows
from seqlab.batching.encoding import read_encoded_split, write_encoded_split
from seqlab.batching.gathering import BatchGatherer
from seqlab.batching.mention_replacement import ReplacedMentions
from seqlab.batching.pieces import PieceGatherer, SpecialPieces, count_pieces, encode_pieces
from seqlab.batching.planning import FILLING, PlannedBatch
from seqlab.batching.vocabulary import Vocabulary
from seqlab.corpus.sentence import Sentence

TEXTS = ["a bb ccc", "d", "dddddd"]
SPECIAL = SpecialPieces(start=90, end=91, unknown=92, max_pieces=6)


def tokenize(forms):
    """A piece for each letter; other characters have none."""
    return [[ord(character) - ord("a") for character in form if character.isalpha()] for form in forms]


def pieces_of(*forms):
    return encode_pieces(forms, tokenize=tokenize, special=SPECIAL)[0]


def test_each_type_has_one_piece_or_more_and_padding_none():
    pieces, cut = encode_pieces(["ab", "!", "c", "abcdefgh"], tokenize=tokenize, special=SPECIAL)
    assert pieces.counts.tolist() == [0, 2, 1, 1, 6]
    assert pieces.ids.tolist() == [0, 1, 92, 2, *range(6)]
    assert cut == ["abcdefgh"]


def test_a_batch_holds_the_pieces_of_its_rows_between_start_and_end():
    features = PieceGatherer(pieces_of("ab", "!", "c")).gather(np.array([[1, 3, 0], [2, 0, 0], [4, 0, 0]]))
    assert features["piece_ids"].tolist() == [
        [90, 0, 1, 2, 91, 0, 0, 0],
        [90, 92, 91, 0, 0, 0, 0, 0],
        [90, 92, 91, 0, 0, 0, 0, 0],  # type V is the token of filling rows
    ]
    assert features["piece_starts"].tolist() == [[1, 3, 0], [1, 0, 0], [1, 0, 0]]
    assert features["piece_counts"].tolist() == [[2, 1, 0], [1, 0, 0], [1, 0, 0]]
    assert all(values.dtype == np.int32 for values in features.values())


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=30), min_size=1, max_size=8),
    st.integers(1, 12),
    st.integers(0, 5),
)
def test_rows_have_few_enough_pieces_and_keep_every_token_once(sentences, max_length, overlap):
    overlap = min(overlap, max_length - 1)
    offsets = np.cumsum([0, *map(len, sentences)])
    crowded = {i: np.array(counts) for i, counts in enumerate(sentences) if sum(counts) > 6}
    windows = cut_windows(offsets, max_length=max_length, overlap=overlap, crowded=crowded, max_pieces=6)
    kept, counts = [], np.concatenate(sentences)
    for sentence, start, length, first, last in zip(
        windows.sentence, windows.start, windows.length, windows.keep_start, windows.keep_stop, strict=True
    ):
        assert 1 <= length <= max_length
        assert counts[start : start + length].sum() <= 6
        assert offsets[sentence] <= start
        assert start + length <= offsets[sentence + 1]
        kept += range(start + first, start + last)
    assert kept == list(range(len(counts)))


def test_rows_with_few_enough_pieces_start_between_mentions():
    continues = np.array([False, False, True, False, False])
    windows = cut_windows(
        np.array([0, 5]),
        max_length=9,
        continues=lambda start, stop: continues[start:stop],
        crowded={0: np.array([4, 1, 2, 1, 1])},
        max_pieces=6,
    )
    assert windows.start.tolist() == [0, 1]
    assert windows.length.tolist() == windows.keep_stop.tolist() == [1, 4]


def test_pieces_are_counted_between_tokens():
    pieces = pieces_of("ab", "c")
    type_ids = np.array([1, 2, 2, 1, 1], np.int32)
    starts, stops = np.array([0, 1, 4]), np.array([2, 4, 5])
    assert count_pieces(type_ids, starts, stops, pieces).tolist() == [3, 4, 2]


@pytest.fixture
def split(tmp_path, encoder):
    sentences = [Sentence(tokens=tuple(text.split()), tags=("O",) * len(text.split())) for text in TEXTS]
    tags = Vocabulary(["O"])
    write_encoded_split(
        tmp_path, sentences, encoder=replace(encoder, pieces=SPECIAL), tags=tags, tokenize=tokenize
    )
    return read_encoded_split(tmp_path, tags=tags)


def test_a_split_gives_back_its_pieces(split):
    assert split.pieces.special == SPECIAL
    assert split.pieces.counts.tolist() == [0, 1, 2, 3, 1, 6]


@pytest.mark.parametrize("distinct_types", [True, False])
def test_the_length_of_a_planned_batch_is_in_pieces(split, distinct_types):
    windows = cut_windows(split.offsets, max_length=8)
    gatherer = BatchGatherer(split, windows, distinct_types=distinct_types)
    batch = gatherer.gather(PlannedBatch(9, np.array([0, 2, FILLING])))
    length = 4 if distinct_types else 7  # tokens of the longest row, rounded up; all that may fit
    assert batch.features["token_ids"].shape == batch.sample_weight.shape == (3, length)
    assert batch.features["piece_ids"].shape == (3, 8 if distinct_types else 9)
    assert batch.features["piece_counts"].sum(axis=1).tolist() == [6, 6, 1]
    assert gatherer.sample_weight(PlannedBatch(9, np.array([0, 2]))).shape == (2, length)


def test_a_row_that_other_mentions_would_make_too_long_keeps_its_own(split):
    windows = cut_windows(split.offsets, max_length=8)
    longer = ReplacedMentions(np.array([0, 3]), np.array([1, 1], np.int32), np.array([4, 4]))
    batch = BatchGatherer(split, windows).gather(PlannedBatch(8, np.array([0, 1])), replaced=longer)
    assert batch.features["piece_counts"].sum(axis=1).tolist() == [6, 6], "row 0 would have 11 pieces"
    assert batch.features["piece_counts"][0].tolist() == [1, 2, 3, 0]
