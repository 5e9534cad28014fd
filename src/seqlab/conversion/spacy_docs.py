"""spaCy's `.spacy` files, read by spaCy if it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqlab.conversion.records import CharacterSpan, Reading, Records, TextRecord, clean_label
from seqlab.errors import CorpusError


def read_spacy(path: Path, reading: Reading) -> Records:
    """Read the texts and entities of a `DocBin`. spaCy holds the whole file in memory.

    Raises:
        CorpusError: spaCy is not installed, or cannot read the file.
    """
    try:
        import spacy
        from spacy.tokens import DocBin
    except ImportError as error:
        raise CorpusError(
            "spaCy is needed to read its files",
            file=str(path),
            received=str(error),
            remedy="run pip install spacy in this environment, or write JSON Lines with text and spans",
        ) from error
    vocabulary: Any = spacy.blank("xx").vocab
    try:
        documents = DocBin().from_disk(path).get_docs(vocabulary)
        for number, document in enumerate(documents, start=1):
            spans = tuple(
                CharacterSpan(
                    clean_label(entity.label_, file=str(path), line=number, reading=reading),
                    entity.start_char,
                    entity.end_char,
                )
                for entity in document.ents
            )
            yield TextRecord(document.text, spans, str(path), number)
    except CorpusError:
        raise
    except Exception as error:  # spaCy and its libraries raise many types for damaged files
        raise CorpusError(
            "spaCy cannot read the file", file=str(path), received=f"{type(error).__name__}: {error}"
        ) from error
