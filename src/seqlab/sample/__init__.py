"""The sample corpus: synthetic, English-like sentences with two layers of tags, generated from a seed.

Sentence patterns and rules are text files (`patterns/*.txt`, in the notation described in `grammar`), and so
are the words (`lexicon/*.txt`). The tags follow UD English for parts of speech and CoNLL-2003 for entities,
with one addition: the name of a place that stands for its government or team is tagged ORG.
"""

from __future__ import annotations

from seqlab.sample.generator import SampleSentence, generate_sentences
from seqlab.sample.writing import COLUMNS, write_sample

__all__ = ["COLUMNS", "SampleSentence", "generate_sentences", "write_sample"]
