from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.tracking.names import flatten, param_text, safe_key, shorten


@pytest.mark.parametrize(
    ("key", "safe"),
    [
        ("test/span_f1", "test/span_f1"),
        ("ner.training.learning_rate", "ner.training.learning_rate"),
        ("test/f1/$", "test/f1/_u24_"),
        ("test/f1/``", "test/f1/_u60__u60_"),
        ("test/f1/.", "test/f1/_u2e_"),
        ("test/f1/..", "test/f1/_u2e__u2e_"),
        ("stage@ner", "stage_u40_ner"),
        ("f1/straße", "f1/stra_udf_e"),
    ],
)
def test_safe_key(key: str, safe: str) -> None:
    assert safe_key(key) == safe


@given(st.text(min_size=1, max_size=20).filter(lambda text: "/" not in text))
def test_safe_key_is_what_mlflow_takes(tag: str) -> None:
    from mlflow.utils.validation import _validate_param_name

    _validate_param_name(safe_key(f"test/{tag}"))


@pytest.mark.parametrize("key", ["", "a//b", "/a", "a/", "k" * 251])
def test_keys_that_no_writing_saves_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="no key for MLflow"):
        safe_key(key)


def test_flatten_joins_the_keys_of_nested_mappings() -> None:
    nested = {"seed": 1, "ner": {"training": {"epochs": 2}, "head": "crf"}, "empty": {}}
    assert list(flatten(nested, separator=".")) == [
        ("seed", 1),
        ("ner.training.epochs", 2),
        ("ner.head", "crf"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [("a b", "a b"), (True, "true"), (None, "null"), ([1, 2], "[1, 2]"), (3e-4, "0.0003"), ("ö", "ö")],
)
def test_param_text(value: object, text: str) -> None:
    assert param_text(value) == text


def test_shorten_says_how_long_the_text_was() -> None:
    assert shorten("x" * 30, 30) == "x" * 30
    cut = shorten("x" * 31, 30)
    assert len(cut) == 30
    assert cut.endswith("... (31 characters)")
