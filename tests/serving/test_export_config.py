from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tiny_taggers import CORPUS

from seqlab.errors import SeqlabError
from seqlab.serving.export_config import FORMAT_VERSION, export_config, read_export_config

SCORES = {"test": {"span_f1": 0.9, "token_accuracy": 0.95, "per_tag": {"O": {}}, "tokens": 91}}


def write(folder: Path, **changes: object) -> Path:
    config = export_config(
        task="ner",
        tag_scheme="BIOES",
        tags=["<pad>", "<unk>", "O"],
        max_length=8,
        overlap=2,
        corpus=CORPUS,
        scores=SCORES,
        run={"run_id": "r1", "experiment": "seqlab-ner"},
    )
    config["files"] = {"model.onnx": "0" * 64}
    (folder / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")
    return folder


def test_the_content_is_read_back(tmp_path: Path) -> None:
    config = read_export_config(write(tmp_path), task="ner")
    assert config["tags"] == ["<pad>", "<unk>", "O"]
    assert config["scores"] == {"test": {"tokens": 91, "token_accuracy": 0.95, "span_f1": 0.9}}
    assert config["corpus"]["digest"] == "d" * 64
    assert config["corpus"]["licence"] == "Apache-2.0"
    assert config["corpus"]["synthetic"] is True
    assert "splits" not in config["corpus"]
    assert set(config["versions"]) == {"python", "seqlab", "tensorflow", "keras", "numpy"}


def test_a_missing_export_raises(tmp_path: Path) -> None:
    with pytest.raises(SeqlabError, match=r"there is no exported model[\s\S]*dvc repro"):
        read_export_config(tmp_path)


def test_invalid_json_raises(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"config\.json is not valid JSON"):
        read_export_config(tmp_path)


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, True, "1", [1], None])
def test_an_incompatible_version_raises(tmp_path: Path, version: object) -> None:
    write(tmp_path, format_version=version, versions={"seqlab": "9.9"})
    received = re.escape(f"{version} (seqlab 9.9)")
    message = rf"incompatible version[\s\S]*format_version 1 to {FORMAT_VERSION}[\s\S]*{received}"
    with pytest.raises(SeqlabError, match=message):
        read_export_config(tmp_path)


def test_json_that_is_no_object_raises(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"incompatible version[\s\S]*\[1\]"):
        read_export_config(tmp_path)


def test_another_task_raises(tmp_path: Path) -> None:
    with pytest.raises(
        SeqlabError, match=r"belongs to another task[\s\S]*expected: pos[\s\S]*received: ner[\s\S]*--task ner"
    ):
        read_export_config(write(tmp_path), task="pos")


@pytest.mark.parametrize("versions", [None, "0.1", ["0.1"]])
def test_an_incompatible_version_of_an_unknown_seqlab(tmp_path: Path, versions: object) -> None:
    write(tmp_path, format_version=99, versions=versions)
    with pytest.raises(SeqlabError, match=r"incompatible version[\s\S]*99 \(seqlab unknown\)"):
        read_export_config(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task", 3),
        ("tags", "O"),
        ("tags", [1]),
        ("tags", []),
        ("max_length", "8"),
        ("overlap", None),
        ("scores", []),
        ("versions", {"seqlab": 1}),
        ("files", {"model.onnx": "zero"}),
        ("files", None),
    ],
)
def test_a_value_of_another_type_raises(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(SeqlabError, match=rf"config\.json: config\.json has invalid values[\s\S]*{name}"):
        read_export_config(write(tmp_path, **{name: value}))


@pytest.mark.parametrize("name", ["task", "tag_scheme", "tags", "max_length", "versions", "files"])
def test_a_missing_value_raises(tmp_path: Path, name: str) -> None:
    config = json.loads((write(tmp_path) / "config.json").read_text(encoding="utf-8"))
    del config[name]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(SeqlabError, match=rf"invalid values[\s\S]*received: .*{name}: Field required"):
        read_export_config(tmp_path)


def test_json_that_is_nested_too_deeply_raises(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"config\.json is not valid JSON"):
        read_export_config(tmp_path)
