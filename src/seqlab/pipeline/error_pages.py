"""The page of errors, made from files of predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seqlab.batching.encoding import read_encoded_split
from seqlab.batching.vocabulary import Vocabulary
from seqlab.errors import SeqlabError
from seqlab.evaluation.error_page import split_errors, write_error_page
from seqlab.evaluation.predictions import TaggedSentence, read_predictions


def write_errors_of(
    predictions: Path,
    page: Path,
    *,
    spans: bool,
    prepared: Path,
    against: Path | None = None,
    names: tuple[str, str] = ("this run", "other run"),
    title: str,
) -> None:
    """Write the page of the errors in predictions, and of those that another run made on the same sentences.

    Args:
        predictions: a folder of `dev.conll` and `test.conll`, or one such file.
        page: the HTML file to write.
        spans: whether the tags encode spans.
        prepared: the folder that the prepare stage wrote. Sentences' places and unseen tokens are shown if it
            has the sentences of the predictions.
        against: the other run's predictions. A split that only one run has is left out.
        names: the names of the runs.
        title: the page's title.

    Raises:
        SeqlabError: there are no predictions, or the runs have no split in common or different sentences.
    """
    files = _files_by_split(predictions)
    others = _files_by_split(against) if against else {}
    if against and predictions.is_file() and against.is_file():
        others = dict(zip(files, others.values(), strict=True))
    if against and not files.keys() & others.keys():
        raise SeqlabError(
            "the two runs have no split in common",
            where=str(against),
            expected=f"predictions for {' or '.join(files)}",
            received=f"predictions for {', '.join(others)}",
            remedy="name two folders, or two files",
        )
    splits = []
    for name, file in files.items():
        if against and name not in others:
            continue
        sentences = _read(file)
        other = _read(others[name]) if against else None
        known = _prepared_split(prepared, name, sentences)
        splits.append(split_errors(name, sentences, spans=spans, other=other, **known))
    write_error_page(page, splits, title=title, runs=names if against else names[:1])


def _files_by_split(predictions: Path) -> dict[str, Path]:
    if predictions.is_file():
        return {predictions.stem: predictions}
    files = {name: predictions / f"{name}.conll" for name in ("dev", "test")}
    files = {name: path for name, path in files.items() if path.is_file()}
    if not files:
        raise SeqlabError(
            "no predictions",
            where=str(predictions),
            expected="a .conll file, or a folder of dev.conll and test.conll, as `dvc repro` writes them",
            received="no such file" if predictions.exists() else "no such file or folder",
            remedy="run dvc repro or dvc pull, or name another folder",
        )
    return files


def _read(path: Path) -> list[TaggedSentence]:
    sentences = list(read_predictions(path))
    if not sentences:
        raise SeqlabError(
            "no sentences", where=str(path), remedy="run dvc repro, which writes the predictions"
        )
    return sentences


def _prepared_split(prepared: Path, name: str, sentences: list[TaggedSentence]) -> dict[str, Any]:
    """Return the split's places and train's tokens; nothing if the prepared split has other sentences."""
    if not (prepared / name / "places.bin").is_file():
        return {}
    tags = Vocabulary.read(prepared / "vocabulary" / "tags.json")
    split = read_encoded_split(prepared / name, tags=tags)
    if [list(sentence.tokens) for sentence in sentences] != [tokens for tokens, _ in split.sentences()]:
        return {}
    types = json.loads((prepared / "train" / "types.json").read_text(encoding="utf-8"))
    return {
        "train_tokens": set(types),
        "places": ((split.files[file], line) for file, line in split.places.tolist()),
    }
