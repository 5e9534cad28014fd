"""Prepared data of a small corpus, and parameters for tiny taggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from seqlab.corpora.own_files import copy_files
from seqlab.params import TaskParams
from seqlab.params_file import parse_params
from seqlab.pipeline.preparing import prepare_task

REPOSITORY = Path(__file__).parents[2]
NAMES = {"PER": ["Ann", "Bo", "Cy"], "LOC": ["New York", "Oslo", "Rome"]}
SMALL = {
    "embedder": {
        "vectors": str(REPOSITORY / "data/vectors/none.txt"),
        "token_embedding_dim": 8,
        "character_embedding_dim": 4,
        "character_filters": 4,
        "character_kernel_sizes": [3],
        "max_token_length": 6,
    },
    "training": {
        "epochs": 2,
        "batch_size": 8,
        "bucket_boundaries": [4, 8],
        "window_length": 8,
        "warmup_epochs": 0.5,
    },
}
ENCODERS = {
    "transformer": {
        "type": "transformer", "num_layers": 1, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 8,
        "positions": "relative", "convolution_kernel_size": 3, "dropout": 0.1, "attention_dropout": 0.1,
    },
    "bilstm": {"type": "bilstm", "num_layers": 1, "units": 8, "dropout": 0.1},
    "none": {"type": "none"},
}  # fmt: skip


def small_params(task: str = "ner", *, encoder: str = "bilstm", **sections: Mapping[str, Any]) -> TaskParams:
    """Return the parameters of a tiny tagger, with changes by section."""
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    section = values[task]
    section["encoder"] = ENCODERS[encoder]
    for changes in (SMALL, sections):
        for name, change in changes.items():
            section[name] |= change
    return parse_params(values).task(task)


def sentences(count: int, *, shift: int) -> str:
    """Return `count` sentences of 4 to 12 tokens in columns token, upos, ner."""
    lines = []
    for i in range(shift, shift + count):
        for kind in ("PER", "LOC")[i % 2 :]:
            words = NAMES[kind][i % 3].split()
            lines += [f"{word}\tPROPN\t{'I' if k else 'B'}-{kind}" for k, word in enumerate(words)]
        lines += [f"{word}\t{tag}\tO" for word, tag in (("saw", "VERB"), ("it", "PRON"))]
        lines += [f"w{k}\tNOUN\tO" for k in range(i % 8)] + [".\tPUNCT\tO", ""]
    return "\n".join(lines) + "\n"


def prepare_small(folder: Path, task: TaskParams, *, odd: Sequence[str] = ()) -> Path:
    """Write a corpus of 40 / 10 / 10 sentences below `folder`, and return the prepared folder.

    Each split ends with a sentence of the tokens `odd`, if there are any.
    """
    folder.mkdir(exist_ok=True)
    for number, (split, count) in enumerate((("train", 40), ("dev", 10), ("test", 10))):
        last = "".join(f"{token}\tX\tO\n" for token in odd)
        text = sentences(count, shift=number) + last
        (folder / f"{split}.conll").write_text(text, encoding="utf-8")
    paths = {split: str(folder / f"{split}.conll") for split in ("train", "dev", "test")}
    copy_files(folder / "raw", **paths, columns=["token", "upos", "ner"], tag_scheme="IOB2")
    prepare_task(folder / "raw", folder / "prepared", task=task)
    return folder / "prepared"
