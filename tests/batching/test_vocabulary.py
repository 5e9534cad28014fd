from __future__ import annotations

import pytest

from seqlab.batching.vocabulary import Vocabulary


def test_reserved_ids_come_first_and_real_entries_from_two_on():
    vocabulary = Vocabulary(["the", "cat"])
    assert vocabulary.entries == ["<pad>", "<unk>", "the", "cat"]
    assert vocabulary.ids(["cat", "dog", "the"]) == [3, 1, 2]


def test_a_token_spelt_like_padding_is_unknown_and_never_padding():
    vocabulary = Vocabulary(["the"])
    assert vocabulary.ids(["<pad>", "<unk>"]) == [1, 1]
    assert 0 not in vocabulary.ids(["<pad>"])


def test_from_counts_orders_by_frequency_then_code_point_and_leaves_rare_entries_out():
    counts = {"b": 2, "a": 2, "c": 5, "once": 1}
    assert Vocabulary.from_counts(counts, min_count=2).entries[2:] == ["c", "a", "b"]


def test_it_round_trips_through_its_file(tmp_path):
    vocabulary = Vocabulary(['"', "\\", "é", "a b", "\u2028"])
    vocabulary.write(tmp_path / "v.json")
    assert Vocabulary.read(tmp_path / "v.json").entries == vocabulary.entries


def test_repeated_entries_are_refused():
    with pytest.raises(ValueError, match="must be distinct"):
        Vocabulary(["a", "a"])


def test_a_file_without_the_reserved_entries_is_refused(tmp_path):
    (tmp_path / "v.json").write_text('["a", "b", "c"]')
    with pytest.raises(ValueError, match="starts with <pad> and <unk>"):
        Vocabulary.read(tmp_path / "v.json")
