"""A stand-in for spaCy with the part of its interface that is used; a file's content is its text."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


class DocBin:
    def from_disk(self, path: Path) -> DocBin:
        if not (text := path.read_text()):
            raise ValueError("[E1014] Error loading DocBin data.")
        entity = SimpleNamespace(label_="PER", start_char=0, end_char=5)
        self.documents = [SimpleNamespace(text=text, ents=(entity,))]
        return self

    def get_docs(self, vocabulary: Any) -> Any:
        assert vocabulary == "the vocabulary"
        return iter(self.documents)


def install(monkeypatch: Any) -> None:
    module, tokens = ModuleType("spacy"), ModuleType("spacy.tokens")
    module.blank = lambda language: SimpleNamespace(vocab="the vocabulary")  # type: ignore[attr-defined]
    tokens.DocBin = DocBin  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spacy", module)
    monkeypatch.setitem(sys.modules, "spacy.tokens", tokens)
