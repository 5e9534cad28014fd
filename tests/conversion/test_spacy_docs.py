from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import spacy_stub

from seqlab.conversion.records import CharacterSpan, TextRecord
from seqlab.conversion.spacy_docs import read_spacy
from seqlab.errors import CorpusError


@pytest.fixture
def spacy(monkeypatch):
    spacy_stub.install(monkeypatch)


def test_texts_and_entities(spacy, read):
    records, _, _ = read(read_spacy, "a.spacy", "Marie Curie")
    assert records == [TextRecord("Marie Curie", (CharacterSpan("PER", 0, 5),), "a.spacy", 1)]


def test_a_damaged_file(spacy, read):
    with pytest.raises(CorpusError, match=r"a.spacy: spaCy cannot read the file\n.*ValueError: \[E1014\]"):
        read(read_spacy, "a.spacy", "")


def test_spacy_is_not_installed(read, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "spacy", raising=False)
    with pytest.raises(CorpusError, match=r"a.spacy: spaCy is needed(.|\n)*remedy: run pip install spacy"):
        read(read_spacy, "a.spacy", "x")
