"""Other tag columns of train, learned beside the task's own.

They stand in the folder of the encoded split::

    auxiliary.json      [{"column": "xpos", "tags": ["<pad>", "<unk>", "NN", ...]}, ...]
    auxiliary_<n>.bin   int32, one per token: the tag's id in the n-th of these, counted from 0

A split without them has neither.
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


@dataclass(frozen=True)
class AuxiliaryColumn:
    """One column, memory-mapped.

    Args:
        name: the column's name in the corpus.
        tags: its tag vocabulary.
        tag_ids: int32 (tokens,), ids of `tags`.
    """

    name: str
    tags: Vocabulary
    tag_ids: np.ndarray


def write_auxiliary(
    directory: Path,
    columns: Mapping[str, Callable[[], Iterator[Sentence]]],
    *,
    min_count: int = 2,
    max_tags: int | None = None,
) -> list[str]:
    """Write columns into the folder of an encoded split, one sentence in memory at a time.

    Args:
        directory: the split's folder.
        columns: by column, a function that begins to read the split's sentences with its tags.
        min_count: tags that occur less often are unknown, and are not learned.
        max_tags: a column of more tags than this (of lemmas, say) is left out; None leaves none out.

    Returns:
        The columns that were written.
    """
    listed: list[dict[str, Any]] = []
    for column, sentences in columns.items():
        tags = Vocabulary.from_counts(
            Counter(tag for sentence in sentences() for tag in sentence.tags), min_count=min_count
        )
        if max_tags is not None and len(tags) - 2 > max_tags:
            continue
        with (directory / f"auxiliary_{len(listed)}.bin").open("wb") as file:
            for sentence in sentences():
                array("i", tags.ids(sentence.tags)).tofile(file)
        listed.append({"column": column, "tags": tags.entries})
    if listed:
        text = json.dumps(listed, indent=2, ensure_ascii=False)
        (directory / "auxiliary.json").write_text(text + "\n", encoding="utf-8")
    return [entry["column"] for entry in listed]


def read_auxiliary(directory: Path) -> list[AuxiliaryColumn]:
    """The columns that `write_auxiliary` wrote into `directory`, in its order; none where it wrote none."""
    path = directory / "auxiliary.json"
    if not path.exists():
        return []
    return [
        AuxiliaryColumn(
            name=listed["column"],
            tags=Vocabulary(listed["tags"][2:]),
            tag_ids=np.memmap(directory / f"auxiliary_{number}.bin", np.int32, mode="r"),
        )
        for number, listed in enumerate(json.loads(path.read_text(encoding="utf-8")))
    ]
