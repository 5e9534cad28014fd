from __future__ import annotations

import dataclasses
import io
import zipfile

import pytest

from seqlab.corpora.public import corpus_by_name, fetch_corpus
from seqlab.corpus.splits import read_split
from seqlab.errors import CorpusError

ENGLISH = {
    "train.txt": "-DOCSTART- -X- -X- O\n\nAnn NNP B-NP B-PER\nsailed VBD B-VP O\n\n\nOld JJ B-NP B-LOC\n"
    "Harbour NNP I-NP I-LOC\n\n-DOCSTART- -X- -X- O\n\nYes UH B-INTJ O\n\n",
    "valid.txt": "-DOCSTART- -X- -X- O\n\nTea NN B-NP O\n \nRain NN B-NP O\n\n",
    "test.txt": "-DOCSTART- -X- -X- O\n\nUmbra NNP B-NP B-ORG",
}


@pytest.fixture
def fetch(tmp_path, loopback_mirror):
    def fetch_it(corpus, **arguments):
        return fetch_corpus(
            corpus,
            tmp_path / "raw",
            mirror=loopback_mirror.address,
            announce=lambda text: None,
            **arguments,
        )

    return fetch_it


@pytest.fixture
def conll2003(publish):
    def make(files):
        corpus = corpus_by_name("conll2003")
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return dataclasses.replace(corpus, sources=(publish(corpus.sources[0].url, content.getvalue()),))

    return make


def rewritten(corpus, publish, texts):
    sources = [publish(source.url, texts[source.split], source.split) for source in corpus.sources]
    return dataclasses.replace(corpus, sources=tuple(sources))


def sentences(folder, split, column):
    return [
        list(zip(sentence.tokens, sentence.tags, strict=True))
        for sentence in read_split(folder, split, tag_column=column)
    ]


def test_conll2003_comes_from_a_mirror_to_the_sentence(conll2003, fetch, tmp_path):
    manifest = fetch(conll2003(ENGLISH))
    raw = tmp_path / "raw"
    assert manifest["columns"] == ["token", "pos", "chunks", "ner"]
    assert sentences(raw, "train", "ner") == [
        [("Ann", "B-PER"), ("sailed", "O")],
        [("Old", "B-LOC"), ("Harbour", "I-LOC")],
        [("Yes", "O")],
    ]
    assert sentences(raw, "dev", "pos") == [[("Tea", "NN")], [("Rain", "NN")]]
    assert sentences(raw, "test", "chunks") == [[("Umbra", "B-NP")]]
    assert (raw / "tfds/conll2003/conll2003/1.0.0/dataset_info.json").is_file()


def test_iob1_becomes_iob2(conll2003, fetch, tmp_path):
    iob1 = "Ann NNP I-NP I-PER\nBob NNP B-NP B-PER\n, , O O\nOld JJ I-NP I-LOC\nHarbour NNP I-NP I-LOC\n"
    fetch(conll2003(ENGLISH | {"train.txt": iob1}))
    (sentence,) = sentences(tmp_path / "raw", "train", "ner")
    assert [tag for _, tag in sentence] == ["B-PER", "B-PER", "O", "B-LOC", "I-LOC"]
    (sentence,) = sentences(tmp_path / "raw", "train", "chunks")
    assert [tag for _, tag in sentence] == ["B-NP", "B-NP", "O", "B-NP", "I-NP"]


def test_an_unreadable_line_is_named_and_nothing_is_left(conll2003, fetch, tmp_path):
    with pytest.raises(CorpusError, match=r"valid\.txt:2: wrong number of columns\n  expected: 4 columns"):
        fetch(conll2003(ENGLISH | {"valid.txt": "Tea NN B-NP O\nRain NN\n"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["downloads", "mirror"]


def test_conll2002_comes_from_a_mirror_to_the_sentence(publish, fetch, tmp_path):
    texts = {
        "train": "-DOCSTART- -DOCSTART- O\nTe Prep O\nEdam N B-LOC\n\n-DOCSTART- -DOCSTART- O\nJa Int O\n\n",
        "dev": "Nee Int O\n\n",
        "test": "Regen N O\n\nWind N O\n\n",
    }
    fetch(rewritten(corpus_by_name("conll2002/nl"), publish, texts))
    assert sentences(tmp_path / "raw", "train", "ner") == [[("Te", "O"), ("Edam", "B-LOC")], [("Ja", "O")]]
    assert sentences(tmp_path / "raw", "dev", "pos") == [[("Nee", "Int")]]
    assert sentences(tmp_path / "raw", "test", "ner") == [[("Regen", "O")], [("Wind", "O")]]


def test_invalid_tags_are_told_and_repaired_only_when_wanted(publish, tmp_path, loopback_mirror):
    texts = {
        "train": "Sol NC I-LOC\n\nLa DA B-LOC\nMar NC O\n\n",
        "dev": "Sol NC O\n\n",
        "test": "Sol NC O\n\n",
    }
    corpus = rewritten(corpus_by_name("conll2002/es"), publish, texts)
    texts["train"] = "Sol NC I-LOC\n\nLa DA B-LOC\nMar NC O\n\n"
    told = []
    for tag_repair in (False, True):
        fetch_corpus(
            corpus,
            tmp_path / "raw",
            mirror=loopback_mirror.address,
            tag_repair=tag_repair,
            announce=told.append,
        )
        if not tag_repair:
            with pytest.raises(CorpusError, match=r"conll2002/es/train\.conll:1:8: invalid transition"):
                sentences(tmp_path / "raw", "train", "ner")
    assert told == [
        "conll2002/es holds tags that are not valid in IOB2, in 1 of its sentences: "
        "reading them needs tag_repair"
    ]
    assert sentences(tmp_path / "raw", "train", "ner")[0] == [("Sol", "B-LOC")]


def test_wnut17_has_types_with_hyphens_and_lines_of_tabs(publish, fetch, tmp_path):
    texts = {
        "train": "@ann\tB-person\nhums\tO\nOld\tB-creative-work\nHarbour\tI-creative-work\n\t\nyes\tO\n\t\n",
        "dev": "tea\tO\n\n",
        "test": "rain\tO\n\n#\tO\n",
    }
    manifest = fetch(rewritten(corpus_by_name("wnut17"), publish, texts))
    assert manifest["columns"] == ["token", "ner"]
    assert manifest["licence"] == "CC BY 4.0"
    train = sentences(tmp_path / "raw", "train", "ner")
    assert train[0][2:] == [("Old", "B-creative-work"), ("Harbour", "I-creative-work")]
    assert len(train) == 2
    assert len(sentences(tmp_path / "raw", "test", "ner")) == 2
