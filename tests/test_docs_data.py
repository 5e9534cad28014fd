"""docs/data.md: its files are written, its commands run in order, and their output is what the page shows."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).parent / "conversion"))

import spacy_stub

from seqlab.cli import main
from seqlab.evaluation.predictions import write_predictions

PAGE = (Path(__file__).parents[1] / "docs" / "data.md").read_text("utf-8")
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
FILE = re.compile(r"`([\w/]+\.(?:jsonl|json|csv|txt|ann))`")


def write_inputs_of_other_programs(folder: Path) -> None:
    (folder / "docs.spacy").write_text("Marie Curie")
    split = folder / "conll" / "train"
    split.mkdir(parents=True)
    (folder / "conll" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    tags = {"feature": {"names": ["O", "B-ORG"], "_type": "ClassLabel"}, "_type": "List"}
    (split / "dataset_info.json").write_text(json.dumps({"features": {"ner_tags": tags}}))
    (split / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    table = pa.table({"tokens": [["EU", "rejects"]], "ner_tags": [[1, 0]]})
    with pa.ipc.new_stream(str(split / "data.arrow"), table.schema) as writer:
        writer.write_table(table)
    predictions = folder / "data" / "predictions" / "ner" / "test.conll"
    write_predictions(predictions, [(["EU", "rejects"], ["B-ORG", "O"], ["B-LOC", "O"])])
    tagged = {"file": "a.txt", "line": 1, "text": "EU x", "tokens": [], "spans": []}
    tagged["spans"] = [{"type": "ORG", "text": "EU", "start": 0, "end": 2, "start_token": 0, "end_token": 1}]
    (folder / "tagged.jsonl").write_text(json.dumps(tagged) + "\n")


def test_the_examples(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    spacy_stub.install(monkeypatch)
    write_inputs_of_other_programs(tmp_path)
    commands, output = 0, ""
    for block in BLOCK.finditer(PAGE):
        before = PAGE[: block.start()].rstrip().rpartition("\n\n")[2]
        names, text = FILE.findall("" if before.endswith("```") else before), block["text"]
        if block["language"] == "sh":
            for command in text.splitlines():
                program, *arguments = shlex.split(command)
                assert program == "seqlab"
                assert main(arguments) == (arguments[0] == "check"), command
                commands += 1
            output = capsys.readouterr().out
        elif names:
            path = tmp_path / names[-1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        else:
            assert text == output
    assert commands == len(re.findall("^seqlab ", PAGE, re.M)) == 12
    assert "B-PER" in (tmp_path / "labelstudio.conll").read_text()
    assert (tmp_path / "letters.conll").read_text().count("# text = ") == 1
    (task,) = json.loads((tmp_path / "predicted.json").read_text())
    (result,) = task["predictions"][0]["result"]
    assert result["value"] == {"start": 0, "end": 2, "text": "EU", "labels": ["LOC"]}


@pytest.mark.parametrize("name", ["train.jsonl", "export.json", "letters/a.ann", "tokens.csv"])
def test_the_page_has_the_files(name):
    assert f"`{name}`" in PAGE
