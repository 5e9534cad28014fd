from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from seqlab.conversion.records import CharacterSpan, TextRecord
from seqlab.conversion.spacy_docs import read_spacy
from seqlab.errors import CorpusError


@pytest.fixture
def spacy(monkeypatch):
    """A stand-in with the part of spaCy's interface that is used; the content of the file is its text."""

    class DocBin:
        def from_disk(self, path):
            if not (text := path.read_text()):
                raise ValueError("[E1014] Error loading DocBin data.")
            entity = SimpleNamespace(label_="PER", start_char=0, end_char=5)
            self.documents = [SimpleNamespace(text=text, ents=(entity,))]
            return self

        def get_docs(self, vocabulary):
            assert vocabulary == "the vocabulary"
            yield from self.documents

    module, tokens = ModuleType("spacy"), ModuleType("spacy.tokens")
    module.blank = lambda language: SimpleNamespace(vocab="the vocabulary")
    tokens.DocBin = DocBin
    monkeypatch.setitem(sys.modules, "spacy", module)
    monkeypatch.setitem(sys.modules, "spacy.tokens", tokens)


def test_texts_and_entities(spacy, read):
    records, _, _ = read(read_spacy, "a.spacy", "Marie Curie")
    assert records == [TextRecord("Marie Curie", (CharacterSpan("PER", 0, 5),), "a.spacy", 1)]


def test_a_damaged_file(spacy, read):
    with pytest.raises(CorpusError, match=r"a.spacy: spaCy cannot read the file\n.*ValueError: \[E1014\]"):
        read(read_spacy, "a.spacy", "")


def test_spacy_is_not_installed(read, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "spacy", raising=False)
    with pytest.raises(CorpusError, match=r"a.spacy: spaCy is needed(.|\n)*remedy: pip install spacy"):
        read(read_spacy, "a.spacy", "x")
