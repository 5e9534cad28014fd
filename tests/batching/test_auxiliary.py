from __future__ import annotations

import numpy as np
import pytest

from seqlab.batching.auxiliary import read_auxiliary, write_auxiliary
from seqlab.corpus.sentence import Sentence

FORMS = ("a", "b", "c")


def column(*tags):
    """Return a function that reads sentences with these tags, given as one string of three letters each."""
    return lambda: iter([Sentence(tokens=FORMS, tags=tuple(word)) for word in tags])


def test_columns_come_back_in_order_with_their_tags(tmp_path):
    write_auxiliary(tmp_path, {"xpos": column("NVN", "NNV"), "a/b": column("yyx", "xxx")})
    first, second = read_auxiliary(tmp_path)
    assert (first.name, second.name) == ("xpos", "a/b")
    assert first.tags.entries == ["<pad>", "<unk>", "N", "V"]
    assert second.tags.entries == ["<pad>", "<unk>", "x", "y"]
    np.testing.assert_array_equal(first.tag_ids, [2, 3, 2, 2, 2, 3])
    np.testing.assert_array_equal(second.tag_ids, [3, 3, 2, 2, 2, 2])
    assert first.tag_ids.dtype == np.int32


@pytest.mark.parametrize(("min_count", "expected"), [(1, [2, 2, 3]), (2, [2, 2, 1])])
def test_a_rare_tag_is_unknown(tmp_path, min_count, expected):
    write_auxiliary(tmp_path, {"xpos": column("NNV")}, min_count=min_count)
    np.testing.assert_array_equal(read_auxiliary(tmp_path)[0].tag_ids, expected)


def test_a_column_that_cannot_be_learned_is_left_out_with_the_reason(tmp_path):
    columns = {"lemma": column("abc", "cba"), "id": column("123", "456"), "xpos": column("NVN", "NNV")}
    assert write_auxiliary(tmp_path, columns, max_tags=2) == {
        "lemma": "it has 3 tags, more than 2",
        "id": "no tag occurs 2 times or more",
    }
    (written,) = read_auxiliary(tmp_path)
    assert written.name == "xpos"
    np.testing.assert_array_equal(written.tag_ids, [2, 3, 2, 2, 2, 3])


def test_without_columns_nothing_is_written(tmp_path):
    write_auxiliary(tmp_path, {})
    assert not list(tmp_path.iterdir())
    assert read_auxiliary(tmp_path) == []
