"""The sample corpus as CoNLL files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.sample.generator import generate_sentences

COLUMNS = ("token", "upos", "ner")

MIN_SENTENCES = 100
"""Fewer would leave dev and test without entities of every type."""

_REPORT_EVERY = 500


def split_sizes(sentences: int) -> dict[str, int]:
    """Sentences per split: a tenth each for dev and test, the rest for train.

    Raises:
        SeqlabError: fewer than `MIN_SENTENCES`.
    """
    if sentences < MIN_SENTENCES:
        raise SeqlabError(
            "the sample corpus is too small",
            where="corpus.sample.sentences",
            expected=f"at least {MIN_SENTENCES} sentences",
            received=str(sentences),
            remedy="raise corpus.sample.sentences in params.yaml",
        )
    tenth = sentences // 10
    return {"train": sentences - 2 * tenth, "dev": tenth, "test": tenth}


def write_sample(
    directory: Path,
    *,
    sentences: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write `train.conll`, `dev.conll` and `test.conll` and return what they hold.

    A file has one token per line (token, UPOS, IOB2 entity tag, tab separated), a `# genre = ...`
    line before each sentence and an empty line after it. Every file is written under a temporary
    name first; none is renamed before all are complete.

    Args:
        directory: where the files go; made if missing.
        sentences: of the three splits together (80 / 10 / 10 %).
        seed: the same seed makes the same corpus.
        progress: called now and then with the sentences done and the sentences in total.

    Returns:
        The manifest: `name`, `kind` ("synthetic"), `seed`, `columns`, and `splits` with each one's
        `file`, `sentences` and `tokens`.

    Raises:
        SeqlabError: `sentences` is too small.
    """
    sizes = split_sizes(sentences)
    directory.mkdir(parents=True, exist_ok=True)
    splits: dict[str, dict[str, Any]] = {}
    unfinished = {split: directory / f".{split}.conll.part" for split in sizes}
    done = 0
    try:
        for split, size in sizes.items():
            before = done

            def report(written: int, before: int = before) -> None:
                if progress is not None:
                    progress(before + written, sentences)

            tokens = _write_split(unfinished[split], split=split, size=size, seed=seed, report=report)
            done += size
            splits[split] = {"file": f"{split}.conll", "sentences": size, "tokens": tokens}
        for split, path in unfinished.items():
            path.replace(directory / f"{split}.conll")
    finally:
        for path in unfinished.values():
            path.unlink(missing_ok=True)
    return {"name": "sample", "kind": "synthetic", "seed": seed, "columns": list(COLUMNS), "splits": splits}


def _write_split(path: Path, *, split: str, size: int, seed: int, report: Callable[[int], None]) -> int:
    """Write one split and return the number of its tokens."""
    tokens = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number, sentence in enumerate(generate_sentences(split=split, start=0, stop=size, seed=seed), 1):
            rows = zip(sentence.tokens, sentence.upos, sentence.ner, strict=True)
            file.write(f"# genre = {sentence.genre}\n" + "\n".join(map("\t".join, rows)) + "\n\n")
            tokens += len(sentence.tokens)
            if number % _REPORT_EVERY == 0 or number == size:
                report(number)
    return tokens
