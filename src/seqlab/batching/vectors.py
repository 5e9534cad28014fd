"""Pretrained word vectors from a text file."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import numpy as np

from seqlab.batching.features import normalize_token
from seqlab.errors import SeqlabError


def read_vectors(
    path: Path, *, lowercase: bool, only: Container[str] | None = None
) -> tuple[list[str], np.ndarray]:
    """Read word2vec's or GloVe's text layout: a form and its numbers a line; a `count dim` line may lead.

    Forms are normalised as tokens are; where several become one, the first stays, the most frequent one.

    Args:
        path: UTF-8; an empty file holds no vectors.
        lowercase: whether token ids fold case.
        only: keep just these normalised forms; None keeps all.

    Returns:
        The normalised forms, and their vectors, float32 (forms, D); (0, 0) for an empty file.

    Raises:
        SeqlabError: the file is missing, or a line holds another number of values, or no numbers.
    """
    if not path.is_file():
        raise SeqlabError(
            "no file of word vectors",
            where=str(path),
            remedy="correct embedder.vectors in params.yaml; an empty file means none",
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
                    remedy="use a text file in word2vec's or GloVe's layout",
                )
            key = normalize_token(form, lowercase=lowercase)
            if key in rows or (only is not None and key not in only):
                continue
            try:
                rows[key] = np.array(values, np.float32)
            except ValueError as error:
                raise SeqlabError("not a number", where=f"{path}:{number}", received=str(error)) from None
    return list(rows), np.stack(list(rows.values())) if rows else np.zeros((0, 0), np.float32)


def embeddings_for(entries: list[str], forms: list[str], vectors: np.ndarray) -> np.ndarray:
    """Vectors by vocabulary id, float32 (len(entries), D); rows without a vector hold NaN."""
    table = np.full((len(entries), vectors.shape[1]), np.nan, np.float32)
    ids = {entry: i for i, entry in enumerate(entries)}
    for form, vector in zip(forms, vectors, strict=True):
        if form in ids:
            table[ids[form]] = vector
    return table
