from __future__ import annotations

import dataclasses

import pytest

from seqlab.corpora.builders.preparation import make_builder, prepare_dataset, read_examples
from seqlab.corpora.mirror import fetch_sources
from seqlab.corpora.public import corpus_by_name


@pytest.fixture
def builder(publish, loopback_mirror, tmp_path):
    corpus = corpus_by_name("wnut17")
    texts = {"train": "".join(f"word{i}\tO\n\n" for i in range(30)), "dev": "a\tO\n\n", "test": "b\tO\n\n"}
    sources = tuple(publish(source.url, texts[source.split], source.split) for source in corpus.sources)
    corpus = dataclasses.replace(corpus, sources=sources)
    files = fetch_sources(sources, tmp_path / "downloads", mirror=str(loopback_mirror.folder))
    return make_builder(corpus, files=files, data_dir=tmp_path / "tfds", scratch=tmp_path / "scratch")


def test_a_dataset_says_what_it_is(builder):
    assert builder.info.homepage == "https://noisy-text.github.io/2017/emerging-rare-entities.html"
    assert "Derczynski" in builder.info.citation
    assert "Licence: CC BY 4.0" in builder.info.description


def test_examples_keep_their_order_and_number(builder, tmp_path):
    assert prepare_dataset(builder, scratch=tmp_path / "scratch") == {"train": 30, "dev": 1, "test": 1}
    examples = list(read_examples(builder, "train"))
    assert [example["token"] for example in examples] == [[f"word{i}"] for i in range(30)]
    assert examples[0] == {"sent_id": "", "token": ["word0"], "ner": ["O"]}
