from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest
import zstandard

from seqlab.batching import vectors as module
from seqlab.batching.vectors import embeddings_for, read_vectors
from seqlab.errors import SeqlabError

LINES = "the 1 2\nThe 9 9\ncat 3 -4e-1 \nn t 5 6\n"
FORMS = ["the", "cat", "n t"]
VALUES = np.array([[1, 2], [3, -0.4], [5, 6]], np.float32)


def write(tmp_path, content, name="vectors.txt"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def binary(entries, *, count=None, end=b"\n"):
    dimension = len(entries[0][1])
    header = f"{len(entries) if count is None else count} {dimension}\n".encode()
    return header + b"".join(
        form.encode() + b" " + np.array(numbers, "<f4").tobytes() + end for form, numbers in entries
    )


def assert_reads(path, **options):
    found = read_vectors(path, lowercase=True, **options)
    assert found.forms == FORMS, "the first of two forms that become one stays"
    np.testing.assert_array_equal(found.vectors, VALUES)
    assert found.read == 4


@pytest.mark.parametrize("text", [LINES, "4 2\n" + LINES, LINES.replace("\n", "\r\n"), LINES.rstrip()])
@pytest.mark.parametrize("together", [1, 3, 1024])
def test_word2vec_and_fasttext_with_a_header_and_glove_without_read_alike(
    tmp_path, text, together, monkeypatch
):
    monkeypatch.setattr(module, "_TOGETHER", together)
    monkeypatch.setattr(module, "_ROWS_BYTES", 16)
    assert_reads(write(tmp_path, text))


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize(("name", "together"), [("vectors.bin", 1024), ("vectors", 2)])
def test_the_binary_format_is_recognised(tmp_path, end, name, together, monkeypatch):
    monkeypatch.setattr(module, "_TOGETHER", together)
    monkeypatch.setattr(module, "_ROWS_BYTES", 16)
    entries = [("the", [1, 2]), ("The", [9, 9]), ("cat", [3, -0.4]), ("n\xa0t", [5, 6])]
    path = write(tmp_path, binary(entries, end=end), name)
    found = read_vectors(path, lowercase=True)
    assert found.forms == ["the", "cat", "n\xa0t"]
    np.testing.assert_array_equal(found.vectors, VALUES)


@pytest.mark.parametrize(
    ("name", "compress"),
    [("v.vec.gz", gzip.compress), ("v.txt.zst", zstandard.compress), ("v.bz2", bz2.compress)],
)
def test_compressed_files_are_read_and_truncated_ones_refused(tmp_path, name, compress):
    data = compress(LINES.encode())
    assert_reads(write(tmp_path, data, name))
    with pytest.raises(SeqlabError, match=r"cannot be read[\s\S]*download or compress it again"):
        read_vectors(write(tmp_path, data[:-9], name), lowercase=True)


def test_case_is_kept_where_token_ids_keep_it(tmp_path):
    assert read_vectors(write(tmp_path, LINES), lowercase=False).forms == ["the", "The", "cat", "n t"]


def test_the_limit_counts_the_entries_of_the_file(tmp_path):
    found = read_vectors(write(tmp_path, "4 2\n" + LINES), lowercase=True, limit=3)
    assert (found.forms, found.read) == (["the", "cat"], 3)


def test_an_empty_file_holds_no_vectors(tmp_path):
    found = read_vectors(write(tmp_path, ""), lowercase=True)
    assert found.forms == []
    assert found.vectors.shape == (0, 0)


def test_entries_without_a_vector_hold_nan_and_cased_ones_fall_back_to_lower_case():
    rows, vectors = {"cat": 0, "US": 1}, np.array([[3, 4], [5, 6]], np.float32)
    entries = ["<pad>", "<unk>", "cat", "Cat", "US"]
    table = embeddings_for(entries, rows, vectors, lowercase=False)
    assert np.isnan(table[:2]).all()
    np.testing.assert_array_equal(table[2:], [[3, 4], [3, 4], [5, 6]])
    assert np.isnan(embeddings_for(["Cat"], rows, vectors, lowercase=True)).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a 1 2\nb 1\n", r"vectors.txt:2: wrong number of values\n  expected: a word and 2 numbers\n"),
        ("a 1 2\nb 1 2 3\n", r"vectors.txt:2: wrong number of values[\s\S]*received: 3 values after 'b'"),
        ("a 1 2\n\n", r"vectors.txt:2: wrong number of values"),
        ("2 3\na 1 2\n", r"vectors.txt:2: wrong number[\s\S]*expected: a word and 3 [\s\S]*received: 2 val"),
        ("a 1 x\n", r"vectors.txt:1: not a finite number\n[\s\S]*received: 'x'\n  remedy: correct or remove"),
        ("a 1 2\nb 1 inf\n", r"vectors.txt:2: not a finite number"),
        ("a 1 1e99\n", r"vectors.txt:1: not a finite number"),
        ("a\n", r"vectors.txt:1: wrong number of values"),
        (
            "3 2\na 1 2\n",
            r"vectors.txt:1: the number of vectors differs[\s\S]*: 3 vec[\s\S]*received: 1",
        ),
        ("1 2\na 1 2\nb 3 4\n", r"vectors.txt:1: the number of vectors differs [\s\S]*received: 2"),
        (
            binary([("a", [1, 2])])[:-3],
            r"vectors.txt, entry 1: an entry is incomplete\n[\s\S]*8 bytes \(2",
        ),
        (binary([("a", [1, 2]), ("b", [1, np.nan])]), r"entry 2: not a finite number[\s\S]*after 'b'"),
        (binary([("a", [1, 2])], count=2), r"vectors.txt:1: the number of vectors differs"),
        (b"\x00\x01\x02", r"vectors.txt: this is not a file of word vectors"),
        (b"\xba\x16\x4f\x2f\x0c", r"a fastText model, not a file of vectors[\s\S]*use the .vec file"),
    ],
)
def test_a_malformed_file_is_named_with_the_place_and_a_remedy(tmp_path, content, message):
    with pytest.raises(SeqlabError, match=message) as caught:
        read_vectors(write(tmp_path, content), lowercase=True)
    assert "\n  remedy: " in str(caught.value)


def test_a_missing_file_names_the_parameter(tmp_path):
    with pytest.raises(SeqlabError, match=r"does not exist\n  remedy: correct embedder.vectors"):
        read_vectors(tmp_path / "none.txt", lowercase=True)
