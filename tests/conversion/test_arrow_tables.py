from __future__ import annotations

import json
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet
import pytest

from seqlab.conversion.arrow_tables import find_splits, read_dataset, read_parquet
from seqlab.errors import CorpusError

NAMES = {"names": ["O", "B-ORG"], "_type": "ClassLabel"}
FEATURES = {
    "tokens": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "Sequence"},
    "ner_tags": {"feature": NAMES, "_type": "Sequence"},
}
ROWS = {"id": ["0", "1"], "tokens": [["EU", "x"], ["y"]], "ner_tags": [[1, 0], [0]], "image": [b"1", b"2"]}
EXPECTED = [(("EU", "x"), {"ner": ("B-ORG", "O")}, 1, "0"), (("y",), {"ner": ("O",)}, 2, "1")]


def found(records):
    return [(record.tokens, dict(record.columns), record.line, record.id) for record in records]


def table(features=None):
    made = pa.table(ROWS)
    if features is None:
        return made
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_split(folder, made, new=pa.ipc.new_stream, features=FEATURES):
    folder.mkdir(parents=True)
    with new(str(folder / "data-00000-of-00001.arrow"), made.schema) as writer:
        writer.write_table(made, max_chunksize=1)
    (folder / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})
    )
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


@pytest.mark.parametrize("new", [pa.ipc.new_stream, pa.ipc.new_file])
def test_a_split_with_the_names_of_its_tags(tmp_path, reading, new):
    assert found(read_dataset(write_split(tmp_path / "train", table(), new), reading)) == EXPECTED


@pytest.mark.parametrize(
    "feature",
    [
        {"feature": NAMES, "_type": "Sequence"},
        {"feature": NAMES, "_type": "List"},
        [NAMES],
    ],
)
def test_names_from_the_metadata_of_parquet(tmp_path, reading, feature):
    pa.parquet.write_table(table({"ner_tags": feature}), tmp_path / "a.parquet")
    assert found(read_parquet(tmp_path / "a.parquet", reading)) == EXPECTED


def test_texts_with_spans(tmp_path, reading):
    spans = [[{"start": 0, "end": 4, "label": "LOC"}]]
    pa.parquet.write_table(pa.table({"text": ["Oslo"], "entities": spans}), tmp_path / "a.parquet")
    (record,) = read_parquet(tmp_path / "a.parquet", reading)
    assert record.spans == (("LOC", 0, 4),)


def test_rows_that_cannot_be_read(tmp_path, reading):
    pa.parquet.write_table(table(), tmp_path / "a.parquet")
    first, second = read_parquet(tmp_path / "a.parquet", reading)
    assert (first.line, second.line) == (1, 2)
    assert "the names of tags that are numbers" in first.expected


def test_the_splits_of_a_dataset(tmp_path):
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    assert find_splits(tmp_path) == {"train": tmp_path / "train", "validation": tmp_path / "validation"}
    assert find_splits(tmp_path / "train") == {"train": tmp_path / "train"}


@pytest.mark.parametrize("name", ["../secret", "/etc", "a/b", "", ".", 3])
def test_names_that_leave_the_folder(tmp_path, reading, name):
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    with pytest.raises(CorpusError, match="the splits cannot be read"):
        find_splits(tmp_path)
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(CorpusError, match="the files cannot be read"):
        list(read_dataset(tmp_path, reading))


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000])
def test_damaged_files(tmp_path, reading, content):
    (tmp_path / "dataset_dict.json").write_text(content)
    with pytest.raises(CorpusError, match=r"dataset_dict.json: the file cannot be read"):
        find_splits(tmp_path)
    (tmp_path / "a.parquet").write_text(content)
    with pytest.raises(CorpusError, match=r"a.parquet: the file cannot be read"):
        list(read_parquet(tmp_path / "a.parquet", reading))
    (tmp_path / "a.arrow").write_text(content)
    with pytest.raises(CorpusError, match=r"a.arrow: the file cannot be read"):
        list(read_dataset(tmp_path / "a.arrow", reading))


@pytest.mark.parametrize("new", [pa.ipc.new_stream, pa.ipc.new_file])
def test_flipped_bits_end_in_records_or_an_error(tmp_path, reading, new):
    folder = write_split(tmp_path / "train", table(), new)
    (file,) = folder.glob("*.arrow")
    content = file.read_bytes()
    for position in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 255
        file.write_bytes(damaged)
        with suppress(CorpusError):
            list(read_dataset(folder, reading))


def test_a_folder_without_data(tmp_path, reading):
    with pytest.raises(CorpusError, match="the dataset has no Arrow files"):
        list(read_dataset(tmp_path, reading))
