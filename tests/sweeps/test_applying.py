"""The best values go into params.yaml, whose comments and other lines stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from seqlab.errors import SeqlabError
from seqlab.params_file import load_params
from seqlab.sweeps.applying import apply_values, text_with

TEXT = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")


def test_only_the_lines_of_the_values_change(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT, encoding="utf-8")
    changed = apply_values(path, {"ner.training.learning_rate": 0.0003162, "defaults.embedder.min_count": 2})
    number = TEXT.splitlines().index(
        "    min_count: 1                # tokens that are rarer in train are unknown"
    )
    assert changed[:2] == [
        f"{number + 1}: -     min_count: 1                # tokens that are rarer in train are unknown",
        f"{number + 1}: +     min_count: 2                # tokens that are rarer in train are unknown",
    ]
    assert len(changed) == 4
    assert load_params(path).task("ner").training.learning_rate == 0.0003162
    assert path.read_text(encoding="utf-8").count("#") == TEXT.count("#")


def test_nothing_changes_without_values():
    assert text_with(TEXT, {}, where="params.yaml") == TEXT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ner.training.batch_size", 64),  # inherited so far
        ("pos.embedder.dropout", 0.3),  # in an empty section
        ("defaults.training.bucket_boundaries", [8, 16]),
        ("defaults.training.clip_norm", None),
        ("defaults.training.jit_compile", True),
        ("defaults.training.weight_decay", 1e-05),
        ("pos.encoder", {"type": "bilstm", "num_layers": 1, "units": 32, "dropout": 0.1}),
    ],
)
def test_values_of_every_kind_are_read_back(tmp_path, name, value):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT, encoding="utf-8")
    apply_values(path, {name: value})
    read = yaml.safe_load(path.read_text(encoding="utf-8").replace("1e-05", "0.00001"))
    for part in name.split("."):
        read = read[part]
    assert read == value
    assert type(read) is type(value)
    assert path.read_text(encoding="utf-8").count("#") == TEXT.count("#")
    load_params(path)


def test_invalid_values_leave_the_file_as_it_is(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT, encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"ner\.training\.epochs: .*greater than 0"):
        apply_values(path, {"ner.training.epochs": 0})
    with pytest.raises(SeqlabError, match="there is no such section"):
        apply_values(path, {"chunk.training.epochs": 1})
    assert path.read_text(encoding="utf-8") == TEXT
