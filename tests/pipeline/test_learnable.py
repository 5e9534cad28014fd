from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_task import prepare_small, small_params

from seqlab.batching.encoding import EncodedSplit, FeatureEncoder, read_encoded_split, write_encoded_split
from seqlab.batching.vocabulary import Vocabulary
from seqlab.corpus.sentence import Sentence
from seqlab.errors import SeqlabError
from seqlab.pipeline.learnable import check_learnable
from seqlab.pipeline.training import train_task

TAGS = Vocabulary(["O", "S-PER"])
NO_WORDS = FeatureEncoder(
    tokens=Vocabulary([]),
    characters=Vocabulary([]),
    shapes=Vocabulary([]),
    lowercase=False,
    max_token_length=3,
)


@pytest.fixture
def check(tmp_path: Path):
    def split(name: str, tags: str) -> EncodedSplit:
        sentences = [Sentence(("a",), (tag,), file="a.conll", line=1) for tag in tags.split()]
        write_encoded_split(tmp_path / name, sentences, encoder=NO_WORDS, tags=TAGS)
        return read_encoded_split(tmp_path / name, tags=TAGS)

    def check(*, train="O S-PER", dev="O S-PER", num_tokens=3, steps=2, task=None) -> None:
        task = task or small_params()
        splits = split("train", train), split("dev", dev)
        check_learnable(*splits, task=task, num_tokens=num_tokens, windows=7, steps=steps)

    return check


def test_usual_data_is_accepted_in_silence(check, caplog) -> None:
    check()
    check(dev="O", task=small_params("pos"))
    check(dev="O", task=small_params(training={"monitor": "token_accuracy"}))
    assert caplog.text == ""


def test_one_tag_is_refused(check) -> None:
    with pytest.raises(SeqlabError, match=r"column ner: all 2 tokens of train have the tag 'O'[\s\S]*remedy"):
        check(train="O O")


def test_dev_without_entities_is_refused_if_it_is_to_choose_the_epoch(check) -> None:
    message = (
        r"training.monitor: none of dev's 2 sentences contains an entity, so span_f1 is always 0\n"
        r".*\n  remedy: move sentences with entities from train to dev, or set training.monitor to token_acc"
    )
    with pytest.raises(SeqlabError, match=message):
        check(dev="O O")


def test_a_vocabulary_of_unknowns_is_a_warning_unless_nothing_else_is_read(check, caplog) -> None:
    check(num_tokens=2, task=small_params(embedder={"min_count": 99}))
    assert "no token occurs embedder.min_count = 99 times in train: all are unknown, and only" in caplog.text
    blind = small_params(embedder={"min_count": 99, "characters": "none", "shape": False})
    with pytest.raises(SeqlabError, match=r"all are unknown\n  remedy: lower embedder.min_count"):
        check(num_tokens=2, task=blind)


@pytest.mark.parametrize(("name", "size"), [("batch_size", 9), ("batch_tokens", 70)])
def test_a_corpus_of_one_batch_is_a_warning(check, caplog, name: str, size: int) -> None:
    check(steps=1, task=small_params(training={name: size}))
    message = "train has 7 rows, which are a single batch: each epoch is one step; lower training."
    assert f"{message}{name} = {size}" in caplog.text


def test_training_checks_the_data_before_it_builds_a_tagger(tmp_path: Path, monkeypatch, caplog) -> None:
    params = small_params(embedder={"min_count": 999}, training={"batch_size": 99})
    prepared = prepare_small(tmp_path / "small", params)
    monkeypatch.setattr("seqlab.pipeline.training.build_tagger", lambda *_, **__: 1 / 0)
    with caplog.at_level(logging.WARNING), pytest.raises(ZeroDivisionError):
        train_task(prepared, task=params, seed=1)
    assert "embedder.min_count = 999" in caplog.text
    assert "training.batch_size = 99" in caplog.text
