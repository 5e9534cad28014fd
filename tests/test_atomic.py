from __future__ import annotations

import csv
import json
import os

import pytest

from seqlab.atomic import replaced_directory, replaced_file, write_csv, write_json


def test_folder_is_replaced_on_success(tmp_path):
    old = tmp_path / "data"
    old.mkdir()
    (old / "stale").touch()
    with replaced_directory(old) as made:
        (made / "new").write_text("1")
        assert (old / "stale").exists(), "the old folder is kept until the end"
    assert [path.name for path in old.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_failure_keeps_the_old_folder_and_leaves_no_temporary_folder(tmp_path):
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


def test_file_is_replaced_atomically(tmp_path):
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


def test_json_is_not_ascii_escaped(tmp_path):
    write_json(tmp_path / "a.json", {"ä": [1]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"ä": [1]}
    assert "ä" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_csv_round_trip_with_punctuation(tmp_path):
    path = tmp_path / "tags.csv"
    write_csv(path, [{"tag": ",", "gold": 3}, {"tag": '"', "gold": 2}, {"tag": "``", "gold": 1}])
    assert path.read_bytes().startswith(b"tag,gold\n")
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"tag": ",", "gold": "3"},
            {"tag": '"', "gold": "2"},
            {"tag": "``", "gold": "1"},
        ]


def test_csv_without_rows_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no rows, so no columns to write"):
        write_csv(tmp_path / "a.csv", [])
    assert list(tmp_path.iterdir()) == []


def test_csv_rows_with_different_columns_are_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"columns \['b'\] in a table of \['a'\]"):
        write_csv(tmp_path / "a.csv", [{"a": 1}, {"b": 2}])
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_running_one_is_not(tmp_path):
    abandoned = tmp_path / ".export.abcdefgh"
    abandoned.mkdir()
    (abandoned / "part").write_text("part", encoding="utf-8")
    with replaced_directory(tmp_path / "export") as running:
        for folder in (abandoned, running):
            os.utime(folder, (0, 0))
        with replaced_directory(tmp_path / "export"):
            assert running.exists()
            assert not abandoned.exists()
