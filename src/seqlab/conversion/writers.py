"""Sentences as text: CoNLL, and the JSON of annotation tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from seqlab.conversion.conll_records import ID_COMMENT, TEXT_COMMENT
from seqlab.conversion.sentences import ConvertedSentence

SUFFIXES = {"conll": ".conll", "jsonl": ".jsonl", "doccano": ".jsonl", "label-studio": ".json"}
"""The formats that can be written, with the extensions of their files."""

_MAX_TEXT = 100_000  # characters in a comment
_CONTROL = re.compile(r"[\t\n\r\0]")


def write_sentences(sentences: Iterable[ConvertedSentence], target: str, *, column: str) -> Iterator[str]:
    """Yield the text of a file in parts.

    Args:
        sentences: the sentences.
        target: one of `SUFFIXES`. `conll` is tokens and tags separated by tabs; the text stands in a comment
            before a sentence, unless blanks separate all tokens. `jsonl` is text and spans as Prodigy and
            spaCy read them; `label-studio` is one array of tasks with predictions.
        column: the column whose spans are written as JSON.
    """
    if target == "conll":
        yield from map(_as_conll, sentences)
    elif target == "label-studio":
        start = "[\n"
        for sentence in sentences:
            yield start + json.dumps(_as_task(sentence, column), ensure_ascii=False)
            start = ",\n"
        yield "[]\n" if start == "[\n" else "\n]\n"
    else:
        for sentence in sentences:
            spans = sentence.spans(column)
            fields: dict[str, Any] = {"id": sentence.id} if sentence.id else {}
            fields["text"] = sentence.text
            if target == "doccano":
                fields["label"] = [[start, end, label] for label, start, end in spans]
            else:
                fields["spans"] = [span._asdict() for span in spans]
            yield json.dumps(fields, ensure_ascii=False) + "\n"


def _as_conll(sentence: ConvertedSentence) -> str:
    lines = [f"{ID_COMMENT}{sentence.id}"] if sentence.id else []
    if len(sentence.text) <= _MAX_TEXT and sentence.text != " ".join(sentence.tokens):
        lines.append(TEXT_COMMENT + _CONTROL.sub(" ", sentence.text))
    lines += map("\t".join, zip(sentence.tokens, *sentence.columns.values(), strict=True))
    return "\n".join(lines) + "\n\n"


def _as_task(sentence: ConvertedSentence, column: str) -> dict[str, Any]:
    # Label Studio counts offsets in UTF-16 units (label-studio#1347).
    units = [0, *accumulate(2 if character > "\uffff" else 1 for character in sentence.text)]
    results = [
        {
            "id": f"span{number}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {
                "start": units[start],
                "end": units[end],
                "text": sentence.text[start:end],
                "labels": [label],
            },
        }
        for number, (label, start, end) in enumerate(sentence.spans(column), start=1)
    ]
    prediction = {"model_version": "seqlab", "result": results}
    return {"data": {"text": sentence.text}, "predictions": [prediction]}
