from __future__ import annotations

import numpy as np

from seqlab.batching.encoding import FeatureEncoder, read_encoded_split, write_encoded_split
from seqlab.batching.vocabulary import Vocabulary
from seqlab.corpus.sentence import Sentence


def test_a_split_round_trips_with_its_tokens_and_tags(tmp_path, encoder):
    sentences = [
        Sentence(("A", "b"), ("O", "B-PER")),
        Sentence(("A",), ("B-NEW",)),
        Sentence(("zzzz", "b", "A"), ("O", "B-NEW", "B-ODD")),
    ]
    write_encoded_split(tmp_path / "s", sentences, encoder=encoder, tags=Vocabulary(["O", "B-PER"]))
    split = read_encoded_split(tmp_path / "s", tags=Vocabulary(["O", "B-PER"]))
    assert [(tuple(tokens), tuple(tags)) for tokens, tags in split.sentences()] == [
        (sentence.tokens, sentence.tags) for sentence in sentences
    ]
    assert split.num_sentences == 3
    assert split.num_tokens == 6
    assert split.lengths.tolist() == [2, 1, 3]
    # Tags that the vocabulary lacks get ids of their own past its end: they are scored as what they are.
    assert split.tags[split.num_tags :] == ["B-NEW", "B-ODD"]
    assert split.tag_ids.tolist() == [2, 3, 4, 2, 4, 5]


def test_the_places_of_sentences_are_kept(tmp_path, encoder):
    places = [("a.conll", 9), ("a.conll", 2), ("b.conll", 1)]
    sentences = [Sentence(("A",), ("O",), file=file, line=line) for file, line in places]
    write_encoded_split(tmp_path / "s", sentences, encoder=encoder, tags=Vocabulary(["O"]))
    split = read_encoded_split(tmp_path / "s", tags=Vocabulary(["O"]))
    assert split.lines_of([0, 2, 1]) == "a.conll lines 2, 9; b.conll lines 1"


def test_features_are_kept_per_type_with_padding_first(tmp_path, encoder):
    write_encoded_split(
        tmp_path / "s", [Sentence(("A", "dcba", "A"), ("O",) * 3)], encoder=encoder, tags=Vocabulary(["O"])
    )
    split = read_encoded_split(tmp_path / "s", tags=Vocabulary(["O"]))
    assert split.types == ["", "A", "dcba"]
    assert split.type_ids.tolist() == [1, 2, 1]
    assert split.features["token_ids"].tolist() == [0, 2, 1]
    assert split.features["char_ids"].tolist() == [[0, 0, 0], [1, 0, 0], [5, 4, 2]]
    assert split.features["shape_ids"].tolist() == [0, 1, 1]
    assert all(values.dtype == np.int32 for values in split.features.values())


def test_long_input_is_flushed_in_pieces_without_loss(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("seqlab.batching.encoding._BUFFERED_TOKENS", 5)
    sentences = [Sentence(tuple("abc"[: 1 + i % 3]), ("O",) * (1 + i % 3)) for i in range(50)]
    write_encoded_split(tmp_path / "s", sentences, encoder=encoder, tags=Vocabulary(["O"]))
    split = read_encoded_split(tmp_path / "s", tags=Vocabulary(["O"]))
    assert [tuple(tokens) for tokens, _ in split.sentences()] == [sentence.tokens for sentence in sentences]


def test_the_encoder_round_trips(tmp_path, encoder):
    encoder.write(tmp_path / "vocabulary")
    again = FeatureEncoder.read(tmp_path / "vocabulary")
    assert again.tokens.entries == encoder.tokens.entries
    assert again.characters.entries == encoder.characters.entries
    assert again.shapes.entries == encoder.shapes.entries
    assert (again.lowercase, again.max_token_length) == (True, 3)
