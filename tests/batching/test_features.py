from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.batching.features import (
    character_class,
    character_ids,
    fold_character,
    normalize_token,
    token_shape,
)
from seqlab.batching.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("token", "lowercase", "expected"),
    [
        ("Paris", True, "paris"),
        ("Paris", False, "Paris"),
        ("1996-08-22", True, "0000-00-00"),
        ("٣", True, "0"),
    ],
)
def test_normalize_token(token, lowercase, expected):
    assert normalize_token(token, lowercase=lowercase) == expected


def test_folding_keeps_the_number_of_characters_where_lower_case_would_not():
    assert "İ".lower() != "i"
    assert fold_character("İ") == "İ"
    assert normalize_token("İx", lowercase=True) == "İx"


@pytest.mark.parametrize(
    ("token", "shape"),
    [
        ("McDonald's", "XxXxx'x"),
        ("1996-08-22", "dd-dd-dd"),
        ("U.S.", "X.X."),
        ("IBM", "XX"),
        ("...", ".."),
        ("a", "x"),
    ],
)
def test_token_shape(token, shape):
    assert token_shape(token) == shape


@settings(derandomize=True, max_examples=200)
@given(st.text(min_size=1, max_size=30))
def test_a_shape_is_its_classes_with_runs_cut_to_two(token):
    classes = [character_class(character) for character in token]
    kept = [c for i, c in enumerate(classes) if not (i >= 2 and classes[i - 1] == classes[i - 2] == c)]
    assert token_shape(token) == "".join(kept)


def test_character_ids_pad_on_the_right_and_keep_both_ends_of_long_tokens():
    vocabulary = Vocabulary("abcdefg")
    assert character_ids("abz", vocabulary, max_token_length=5) == [2, 3, 1, 0, 0]
    assert character_ids("abcdefg", vocabulary, max_token_length=5) == [2, 3, 4, 7, 8]
    assert character_ids("abcdefg", vocabulary, max_token_length=7) == [2, 3, 4, 5, 6, 7, 8]
