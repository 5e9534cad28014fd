"""Made-up treebanks, and the real one where SEQLAB_TEST_MIRROR names a mirror that has it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from seqlab.corpora.pins import Pin
from seqlab.corpora.public import corpus_by_name
from seqlab.corpus.blocks import scan_blocks
from seqlab.corpus.conllu import ConlluLayout

SENTENCES = {
    "train": {
        "t-1": [("Ann", "PROPN", "NNP", "B-PER"), ("sailed", "VERB", "VBD", "O"), ("#", "SYM", "SYM", "O")],
        "t-2": [
            ("Old", "ADJ", "JJ", "B-LOC"),
            ("Harbour", "PROPN", "NNP", "I-LOC"),
            ("slept", "VERB", "VBD", "O"),
        ],
        "t-3": [
            ("It", "PRON", "PRP", "B-OTH"),
            ("rained", "VERB", "VBD", "I-OTH"),
            (".", "PUNCT", ".", "B-O"),
        ],
    },
    "dev": {
        "d-1": [("Tea", "NOUN", "NN", "O"), ("for", "ADP", "IN", "O"), ("Umbra", "PROPN", "NNP", "B-ORG")]
    },
    "test": {
        "e-1": [("Yes", "INTJ", "UH", "O")],
        "e-2": [("Ann", "PROPN", "NNP", "B-PER"), ("nods", "VERB", "VBZ", "O")],
    },
}
SIZES = {"train": 12_543, "dev": 2_001, "test": 2_077}


def conllu(sentences):
    """Write sentences as a treebank does: with a multi-word token and an empty node in each."""
    lines = []
    for identity, rows in sentences.items():
        lines += [f"# sent_id = {identity}", "# text = not needed", "1-2\tboth\t_\t_\t_\t_\t_\t_\t_\t_"]
        for number, (token, upos, xpos, _) in enumerate(rows, start=1):
            lines.append(f"{number}\t{token}\t_\t{upos}\t{xpos}\t_\t0\troot\t_\t_")
        lines += [f"{len(rows)}.1\tghost\t_\t_\t_\t_\t_\t_\t_\t_", ""]
    return "\n".join(lines) + "\n"


def iob2(sentences):
    """Write sentences as Universal NER does: some rows with notes, in another order than the treebank."""
    lines = []
    for identity, rows in reversed(sentences.items()):
        lines.append(f"# sent_id = {identity}")
        for number, (token, _, _, tag) in enumerate(rows, start=1):
            lines.append(f"{number}\t{token}\t{tag}" + ("\t-\tmax" if number == 1 else ""))
        lines.append("")
    return "\n".join(lines) + "\n"


@dataclasses.dataclass
class Treebank:
    """A corpus that lies in the loopback mirror, and its number of sentences by split."""

    corpus: object
    sizes: dict[str, int]


@pytest.fixture
def made_up_english(publish):
    """`uner_en_ewt` with made-up files."""
    corpus = corpus_by_name("uner_en_ewt")
    writers = {"words": conllu, "entities": iob2}
    sources = tuple(
        publish(source.url, writers[source.role](SENTENCES[source.split]), source.split, source.role)
        for source in corpus.sources
    )
    sizes = {split: len(sentences) for split, sentences in SENTENCES.items()}
    return Treebank(dataclasses.replace(corpus, sources=sources), sizes)


@pytest.fixture
def english(request, loopback_mirror):
    """`uner_en_ewt` with its real files where there are any, a made-up one for each that is not there."""
    real = os.environ.get("SEQLAB_TEST_MIRROR")
    if not real:
        return request.getfixturevalue("made_up_english")
    corpus, sources = corpus_by_name("uner_en_ewt"), []
    for source in corpus.sources:
        served = loopback_mirror.folder / source.mirror_path
        served.parent.mkdir(parents=True, exist_ok=True)
        there = Path(real) / source.mirror_path
        if there.is_file():
            served.write_bytes(there.read_bytes())
        else:
            words = next(s for s in corpus.sources if s.split == source.split and s.role == "words")
            served.write_text(_without_entities(Path(real) / words.mirror_path))
            source = dataclasses.replace(source, pin=Pin.of_file(served))
        sources.append(source)
    return Treebank(dataclasses.replace(corpus, sources=tuple(sources)), SIZES)


def _without_entities(words):
    lines = []
    for block in scan_blocks(words, layout=ConlluLayout()):
        lines.append(f"# sent_id = {block.metadata('sent_id')}")
        lines += [f"{i}\t{token}\tO" for i, token in enumerate(block.column("token"), start=1)]
        lines.append("")
    return "\n".join(lines) + "\n"
