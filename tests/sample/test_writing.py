from __future__ import annotations

import logging

import pytest

from seqlab.errors import SeqlabError
from seqlab.sample import generate_sentences, write_sample


def test_files_contain_the_generated_sentences(tmp_path):
    files = write_sample(tmp_path, sentences=205, seed=4)
    assert files == {"train": "train.conll", "dev": "dev.conll", "test": "test.conll"}
    for split, count in (("train", 165), ("dev", 20), ("test", 20)):
        text = (tmp_path / files[split]).read_text(encoding="utf-8")
        assert text.endswith("\n\n")
        blocks = text.removesuffix("\n\n").split("\n\n")
        expected = generate_sentences(split=split, count=count, seed=4)
        for block, sentence in zip(blocks, expected, strict=True):
            comment, *rows = block.split("\n")
            assert comment == f"# genre = {sentence.genre}"
            columns = tuple(zip(*(row.split("\t") for row in rows), strict=True))
            assert columns == (sentence.tokens, sentence.upos, sentence.ner)


def test_progress_is_logged_after_every_tenth(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="seqlab.sample")
    write_sample(tmp_path, sentences=205, seed=4)
    expected = [21, 41, 62, 82, 103, 123, 144, 164, 185, 205]
    assert caplog.messages == [f"generated {done} of 205 sentences" for done in expected]


def test_too_few_sentences_are_an_error(tmp_path):
    with pytest.raises(
        SeqlabError, match=r"corpus\.sample\.sentences: the sample corpus is too small"
    ) as caught:
        write_sample(tmp_path, sentences=99, seed=4)
    assert (caught.value.where, caught.value.received) == ("corpus.sample.sentences", "99")
    assert list(tmp_path.iterdir()) == []
