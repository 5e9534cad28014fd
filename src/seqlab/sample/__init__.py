"""The sample corpus: synthetic, English-like, tagged twice, made from a seed.

Genres, patterns and rules are text (`patterns/*.txt`, in the notation that `grammar` explains), and
so are the words (`lexicon/*.txt`). The tags follow UD English for parts of speech and CoNLL-2003 for
entities, with one decision of our own: a place that acts as a government or plays as a team is ORG.
"""

from __future__ import annotations

from seqlab.sample.generator import SampleSentence, generate_sentences
from seqlab.sample.writing import COLUMNS, write_sample

__all__ = ["COLUMNS", "SampleSentence", "generate_sentences", "write_sample"]
