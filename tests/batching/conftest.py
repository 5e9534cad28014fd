from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from seqlab.batching.encoding import EncodedSplit, FeatureEncoder, read_encoded_split, write_encoded_split
from seqlab.batching.vocabulary import Vocabulary
from seqlab.corpus.sentence import Sentence


@pytest.fixture
def encoder() -> FeatureEncoder:
    """Knows the token `a` and the characters a to e; tokens are shown with three characters."""
    return FeatureEncoder(
        tokens=Vocabulary(["a"]),
        characters=Vocabulary("abcde"),
        shapes=Vocabulary(["x"]),
        lowercase=True,
        max_token_length=3,
    )


@pytest.fixture
def make_split(tmp_path: Path, encoder: FeatureEncoder) -> Callable[[list[int]], EncodedSplit]:
    """A split of sentences of the given lengths; token j of sentence i is its own form, `abcde`-spelt."""

    def make(lengths: list[int]) -> EncodedSplit:
        tags = Vocabulary(["O", "X"])
        sentences = [
            Sentence(
                tokens=tuple(spell(100 * i + j) for j in range(n)),
                tags=tuple("X" if (i + j) % 2 else "O" for j in range(n)),
            )
            for i, n in enumerate(lengths)
        ]
        write_encoded_split(tmp_path / "split", sentences, encoder=encoder, tags=tags)
        return read_encoded_split(tmp_path / "split", tags=tags)

    return make


def spell(number: int) -> str:
    """A number in base five, with the digits a to e."""
    return (spell(number // 5) if number >= 5 else "") + "abcde"[number % 5]
