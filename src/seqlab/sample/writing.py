"""The sample corpus as CoNLL files."""

from __future__ import annotations

import logging
from pathlib import Path

from seqlab.errors import SeqlabError
from seqlab.sample.generator import generate_sentences

COLUMNS = ("token", "upos", "ner")

MIN_SENTENCES = 100
"""Smaller dev and test splits would not contain entities of every type."""

logger = logging.getLogger(__name__)


def write_sample(directory: Path, *, sentences: int, seed: int) -> dict[str, str]:
    """Write `train.conll`, `dev.conll` and `test.conll` with 80, 10 and 10 % of the sentences.

    Each line contains a token, its UPOS tag and its IOB2 entity tag, separated by tabs. A `# genre = ...`
    line precedes each sentence and an empty line follows it. Progress is logged after every tenth.

    Args:
        directory: an existing folder.
        sentences: the number of sentences in all splits together.
        seed: the same seed always generates the same corpus.

    Returns:
        The file name of each split.

    Raises:
        SeqlabError: there are fewer than `MIN_SENTENCES` sentences.
    """
    if sentences < MIN_SENTENCES:
        raise SeqlabError(
            "the sample corpus is too small",
            where="corpus.sample.sentences",
            expected=f"at least {MIN_SENTENCES} sentences",
            received=str(sentences),
            remedy="increase corpus.sample.sentences in params.yaml",
        )
    tenth = sentences // 10
    sizes = {"train": sentences - 2 * tenth, "dev": tenth, "test": tenth}
    done = 0
    for split, size in sizes.items():
        with (directory / f"{split}.conll").open("w", encoding="utf-8", newline="\n") as file:
            for sentence in generate_sentences(split=split, count=size, seed=seed):
                rows = zip(sentence.tokens, sentence.upos, sentence.ner, strict=True)
                file.write(f"# genre = {sentence.genre}\n" + "\n".join(map("\t".join, rows)) + "\n\n")
                done += 1
                if done * 10 // sentences > (done - 1) * 10 // sentences:
                    logger.info("generated %d of %d sentences", done, sentences)
    return {split: f"{split}.conll" for split in sizes}
