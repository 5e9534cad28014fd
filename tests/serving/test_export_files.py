from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_taggers import tiny_export

from seqlab.errors import SeqlabError
from seqlab.serving.tagging import onnx_tagger
from seqlab.serving.tagging.exported_tagger import load_exported_tagger


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_export("ner"), tmp_path / "export"))


def files_of(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def test_a_flipped_bit_names_the_file(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name for name in files_of(export) if name != "config.json"]
    assert len(names) > 5
    for name in names:
        whole = (export / name).read_bytes()
        middle = len(whole) // 2
        (export / name).write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        message = (
            rf"{name}: a file of the export is damaged\n  expected: SHA-256 \w+\n  received: SHA-256 \w+"
        )
        with pytest.raises(SeqlabError, match=message):
            load_exported_tagger(export)
        with monkeypatch.context() as patch:
            patch.setattr(onnx_tagger, "find_spec", lambda name: None)
            with pytest.raises(SeqlabError, match=message):
                load_exported_tagger(export)
        (export / name).write_bytes(whole)


def _make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [Path.unlink, _make_fifo])
def test_a_missing_file(change: Callable[[Path], None], export: Path) -> None:
    change(export / "onnx" / "known_types.json")
    with pytest.raises(SeqlabError, match=r"onnx/known_types\.json: a file of the export is missing"):
        load_exported_tagger(export)


@pytest.mark.parametrize("name", ["saved_model.cpb", "onnx/weights.bin", "variables/more"])
def test_a_file_that_is_not_listed(name: str, export: Path) -> None:
    (export / name).write_bytes(b"more")
    with pytest.raises(SeqlabError, match=rf"{name}: a file that does not belong to the export"):
        load_exported_tagger(export)


def test_hidden_files_are_ignored(export: Path) -> None:
    (export / ".DS_Store").write_bytes(b"")
    assert load_exported_tagger(export).tag(["one"])


@pytest.mark.parametrize("name", ["../config.json", "/etc/passwd"])
def test_a_listed_path_outside_the_folder(name: str, export: Path) -> None:
    config = json.loads((export / "config.json").read_text(encoding="utf-8"))
    config["files"][name] = "0" * 64
    (export / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"a file of the export is missing"):
        load_exported_tagger(export)
