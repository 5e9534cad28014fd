"""Pretrained word vectors from a text file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqlab.batching.features import normalize_token
from seqlab.errors import SeqlabError


def read_vectors(path: Path, *, lowercase: bool) -> tuple[list[str], np.ndarray]:
    """Read a file in the text format of word2vec or GloVe: a form and its numbers on each line.

    A first line `count dim` is skipped. Forms are normalised as tokens are; if several forms become equal,
    the first, most frequent one is kept.

    Args:
        path: UTF-8; an empty file means no vectors.
        lowercase: whether token ids fold case.

    Returns:
        The normalised forms, and their vectors, float32 (forms, D); (0, 0) for an empty file.

    Raises:
        SeqlabError: the file is missing, or a line has a different number of values or a value that is not a
            number.
    """
    if not path.is_file():
        raise SeqlabError(
            "the file of word vectors does not exist",
            where=str(path),
            remedy="correct embedder.vectors in params.yaml; name an empty file for no vectors",
        )
    rows: dict[str, np.ndarray] = {}
    dimension = 0
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            form, *values = line.rstrip("\n").rstrip(" ").split(" ")
            if number == 1 and len(values) == 1 and form.isdigit() and values[0].isdigit():
                continue
            dimension = dimension or len(values)
            if len(values) != dimension or not values:
                raise SeqlabError(
                    "wrong number of values",
                    where=f"{path}:{number}",
                    expected=f"a form and {dimension or 'some'} numbers",
                    received=f"{len(values)} values after {form!r}",
                    remedy="use a text file in the format of word2vec or GloVe",
                )
            key = normalize_token(form, lowercase=lowercase)
            if key in rows:
                continue
            try:
                rows[key] = np.array(values, np.float32)
            except ValueError as error:
                raise SeqlabError("not a number", where=f"{path}:{number}", received=str(error)) from None
    return list(rows), np.stack(list(rows.values())) if rows else np.zeros((0, 0), np.float32)


def embeddings_for(entries: list[str], forms: list[str], vectors: np.ndarray) -> np.ndarray:
    """Return the vectors by vocabulary id, float32 (len(entries), D), NaN for entries without a vector."""
    table = np.full((len(entries), vectors.shape[1]), np.nan, np.float32)
    ids = {entry: i for i, entry in enumerate(entries)}
    for form, vector in zip(forms, vectors, strict=True):
        if form in ids:
            table[ids[form]] = vector
    return table
