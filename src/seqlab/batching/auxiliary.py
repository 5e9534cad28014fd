"""Auxiliary tag columns of train, learned beside the task's own column.

They are stored in the folder of the encoded split, if there are any::

    auxiliary.json      [{"column": "xpos", "tags": ["<pad>", "<unk>", "NN", ...]}, ...]
    auxiliary_<n>.bin   int32, one per token: the tag id in the n-th of these columns, counted from 0
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.batching.vocabulary import Vocabulary
from seqlab.corpus.sentence import Sentence
from seqlab.errors import MissingTagError
from seqlab.tags import NUM_RESERVED


@dataclass(frozen=True)
class AuxiliaryColumn:
    """One memory-mapped column: its name, its tag vocabulary, and int32 (tokens,) ids of those tags."""

    name: str
    tags: Vocabulary
    tag_ids: np.ndarray


def write_auxiliary(
    directory: Path,
    columns: Mapping[str, Callable[[], Iterator[Sentence]]],
    *,
    min_count: int = 2,
    max_tags: int | None = None,
) -> dict[str, str]:
    """Write columns into the folder of an encoded split, with one sentence in memory at a time.

    A column in which a token has no tag is left out.

    Args:
        directory: the split's folder.
        columns: for each column, a function that starts reading the split's sentences with its tags.
        min_count: rarer tags are unknown and are not learned. A column without any other tag (an id column,
            for example) is left out.
        max_tags: a column with more tags (a lemma column, for example) is left out. None sets no limit.

    Returns:
        For each column that was left out, the reason.
    """
    listed: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for column, sentences in columns.items():
        try:
            counts = Counter(tag for sentence in sentences() for tag in sentence.tags)
        except MissingTagError as error:
            left_out[column] = f"a token has no tag ({error.file}, line {error.line})"
            continue
        tags = Vocabulary.from_counts(counts, min_count=min_count)
        num_tags = len(tags) - NUM_RESERVED
        if not num_tags:
            left_out[column] = f"no tag occurs {min_count} times or more"
            continue
        if max_tags is not None and num_tags > max_tags:
            left_out[column] = f"it has {num_tags} tags, more than {max_tags}"
            continue
        with (directory / f"auxiliary_{len(listed)}.bin").open("wb") as file:
            for sentence in sentences():
                array("i", tags.ids(sentence.tags)).tofile(file)
        listed.append({"column": column, "tags": tags.entries})
    if listed:
        text = json.dumps(listed, indent=2, ensure_ascii=False)
        (directory / "auxiliary.json").write_text(text + "\n", encoding="utf-8")
    return left_out


def read_auxiliary(directory: Path) -> list[AuxiliaryColumn]:
    """Map the columns that `write_auxiliary` wrote into memory, in its order."""
    path = directory / "auxiliary.json"
    if not path.exists():
        return []
    return [
        AuxiliaryColumn(
            name=listed["column"],
            tags=Vocabulary(listed["tags"][NUM_RESERVED:]),
            tag_ids=np.memmap(directory / f"auxiliary_{number}.bin", np.int32, mode="r"),
        )
        for number, listed in enumerate(json.loads(path.read_text(encoding="utf-8")))
    ]
