from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqlab.serving.tagging.type_vectors import TypeVectors

KNOWN = ["the", "of"]


def vectors_of(types: Sequence[str]) -> np.ndarray:
    """Return a vector from the letters of each type."""
    return np.array([[len(token), ord(token[0])] for token in types], np.float32)


class Counted:
    """`vectors_of`, with the types that it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, types: Sequence[str]) -> np.ndarray:
        self.asked += types
        return vectors_of(types)


def look_up(vectors: TypeVectors, tokens: list[str]) -> np.ndarray:
    table, rows = vectors.look_up(tokens)
    assert not table[0].any()
    assert (rows > 0).all()
    np.testing.assert_array_equal(table[rows], vectors_of(tokens))
    return table


def test_each_type_is_computed_once_and_known_types_never() -> None:
    compute = Counted()
    vectors = TypeVectors(KNOWN, vectors_of(KNOWN), compute=compute)
    look_up(vectors, ["the", "cat", "cat", "of", "dogs"])
    look_up(vectors, ["dogs", "the", "run", "cat"])
    assert compute.asked == ["cat", "dogs", "run"]


def test_memory_is_bounded_and_tables_in_use_stay_valid() -> None:
    compute = Counted()
    vectors = TypeVectors(KNOWN, vectors_of(KNOWN), compute=compute, memory=5 * 2 * 4)
    table, rows = vectors.look_up(["a", "b"])
    assert len(table) == 5
    assert len(look_up(vectors, ["the", "c", "a"])) == 5
    np.testing.assert_array_equal(table[rows], vectors_of(["a", "b"]))
    assert compute.asked == ["a", "b", "c", "a"]


def test_a_batch_with_more_types_than_fit() -> None:
    vectors = TypeVectors(KNOWN, vectors_of(KNOWN), compute=vectors_of, memory=5 * 2 * 4)
    assert len(look_up(vectors, ["the", *"abcdefgh"])) == 11
