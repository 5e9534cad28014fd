from __future__ import annotations

import json

import pytest

from seqlab.atomic import replaced_directory, replaced_file, write_json


def test_a_folder_takes_the_old_ones_place_when_all_went_well(tmp_path):
    old = tmp_path / "data"
    old.mkdir()
    (old / "stale").touch()
    with replaced_directory(old) as made:
        (made / "new").write_text("1")
        assert (old / "stale").exists(), "the old folder stands until the end"
    assert [path.name for path in old.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_failure_leaves_the_old_folder_and_nothing_half_made(tmp_path):
    old = tmp_path / "data"
    old.mkdir()
    (old / "kept").touch()

    def fail():
        with replaced_directory(old) as made:
            (made / "half").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in old.iterdir()] == ["kept"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "model.keras"
    with replaced_file(path) as made:
        assert made.suffix == ".keras"
        made.write_text("one")

    def fail():
        with replaced_file(path) as made:
            made.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "one"
    assert [found.name for found in path.parent.iterdir()] == ["model.keras"]


def test_json_is_written_readably(tmp_path):
    write_json(tmp_path / "a.json", {"ä": [1]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"ä": [1]}
    assert "ä" in (tmp_path / "a.json").read_text(encoding="utf-8")
