from __future__ import annotations

import importlib.util

import pytest

from seqlab.corpora.treebanks import universal_dependencies_corpora, universal_ner_corpora
from seqlab.errors import CorpusError

SPLITS = ["train", "dev", "test"]


def by_name(corpora):
    return {corpus.name: corpus for corpus in corpora}


def test_universal_ner_comes_in_at_least_six_languages():
    languages = {name.split("_")[1] for name in by_name(universal_ner_corpora())}
    assert {"en", "zh", "hr", "da", "pt", "sr", "sk", "sv"} <= languages


@pytest.mark.parametrize("corpus", universal_ner_corpora(), ids=lambda corpus: corpus.name)
def test_each_universal_ner_corpus_has_words_and_entities_of_each_split(corpus):
    assert corpus.tag_columns == ("upos", "xpos", "ner")
    assert corpus.join in ("sent_id", "order")
    assert [source.split for source in corpus.sources if source.role == "words"] == SPLITS
    assert [source.split for source in corpus.sources if source.role == "entities"] == SPLITS
    assert len({source.pin.digest for source in corpus.sources}) == 6
    assert {source.pin.algorithm for source in corpus.sources} == {"git-blob"}


def test_english_is_joined_at_the_commits_that_agree():
    corpus = by_name(universal_ner_corpora())["uner_en_ewt"]
    ud = "raw.githubusercontent.com/UniversalDependencies/UD_English-EWT"
    ner = "raw.githubusercontent.com/UniversalNER/UNER_English-EWT"
    ud, ner = (
        f"{ud}/c491d62a7a0447946ac85b11308083ea61328ece",
        f"{ner}/8ed072de2fd24022cc62458997fe96a8fe191ea4",
    )
    assert {source.mirror_path: source.pin.digest for source in corpus.sources} == {
        f"{ner}/en_ewt-ud-train.iob2": "b2423d72f37f2226e56cbe750da76f820e6c36a9",
        f"{ner}/en_ewt-ud-dev.iob2": "ba19f8b2c24da16a9131408b5f07e3a3f0bdc5b8",
        f"{ner}/en_ewt-ud-test.iob2": "45c5da3de8d9908dfff8d1883837ae4c42d48424",
        f"{ud}/en_ewt-ud-train.conllu": "9681e69114694a23199d595fc5a191c96b0f47fb",
        f"{ud}/en_ewt-ud-dev.conllu": "7f74c99caf3ada79abe33724d054cf01542d09e7",
        f"{ud}/en_ewt-ud-test.conllu": "bec98b77a03f9abc32eff8de0e85e1cc2edc51b6",
    }
    assert corpus.join == "sent_id"


def test_every_treebank_of_universal_dependencies_has_a_name():
    corpora = by_name(universal_dependencies_corpora())
    assert len(corpora) > 200
    assert corpora["ud/en_ewt"].tag_columns == ("upos", "xpos")
    assert corpora["ud/en_ewt"].title == "Universal Dependencies 2.10, English-EWT"
    assert [source.split for source in corpora["ud/en_ewt"].sources] == SPLITS
    assert all(source.pin.size for corpus in corpora.values() for source in corpus.sources)


def test_a_split_may_be_in_several_files():
    czech = by_name(universal_dependencies_corpora())["ud/cs_pdt"]
    assert [source.url[-9:-7] for source in czech.sources if source.split == "train"] == [
        "-c",
        "-l",
        "-m",
        "-v",
    ]
    assert [source.split for source in czech.sources] == ["train"] * 4 + ["dev", "test"]


def test_without_its_checksums_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    universal_dependencies_corpora.cache_clear()
    with pytest.raises(CorpusError, match="install the version of tensorflow-datasets in the lock file"):
        universal_dependencies_corpora()
