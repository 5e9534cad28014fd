from __future__ import annotations

import numpy as np
import pytest

from seqlab.batching.vectors import embeddings_for, read_vectors
from seqlab.errors import SeqlabError


def write(tmp_path, text):
    path = tmp_path / "vectors.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_word2vec_with_a_header_and_glove_without_read_alike(tmp_path):
    lines = "the 1 2\nThe 9 9\ncat 3 4\n"
    for text in (lines, "3 2\n" + lines):
        forms, vectors = read_vectors(write(tmp_path, text), lowercase=True)
        assert forms == ["the", "cat"], "the first of two forms that become one stays"
        np.testing.assert_array_equal(vectors, np.array([[1, 2], [3, 4]], np.float32))


def test_case_is_kept_where_token_ids_keep_it(tmp_path):
    forms, _ = read_vectors(write(tmp_path, "the 1 2\nThe 9 9\n"), lowercase=False)
    assert forms == ["the", "The"]


def test_an_empty_file_holds_no_vectors(tmp_path):
    forms, vectors = read_vectors(write(tmp_path, ""), lowercase=True)
    assert forms == []
    assert vectors.shape == (0, 0)


def test_entries_without_a_vector_hold_nan(tmp_path):
    table = embeddings_for(["<pad>", "<unk>", "cat"], ["cat"], np.array([[3.0, 4.0]], np.float32))
    assert np.isnan(table[:2]).all()
    np.testing.assert_array_equal(table[2], [3, 4])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2\nb 1\n", r"vectors.txt:2: wrong number of values\n  expected: a form and 2 numbers\n"),
        ("a 1 x\n", r"vectors.txt:1: not a number"),
        ("a\n", r"vectors.txt:1: wrong number of values"),
    ],
)
def test_a_bad_line_is_named(tmp_path, text, message):
    with pytest.raises(SeqlabError, match=message):
        read_vectors(write(tmp_path, text), lowercase=True)


def test_a_missing_file_names_the_parameter(tmp_path):
    with pytest.raises(SeqlabError, match=r"does not exist\n  remedy: correct embedder.vectors"):
        read_vectors(tmp_path / "none.txt", lowercase=True)
