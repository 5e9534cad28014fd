from __future__ import annotations

import json

import pytest

from seqlab.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_convert_reports_checks_and_prints_the_parameters(folder, capsys):
    spans = [{"start": 0, "end": 11, "label": "PER"}, {"start": 19, "end": 22, "label": "LOC"}]
    (folder / "train.jsonl").write_text(
        json.dumps({"text": "Marie Curie was in Warsaw.", "spans": spans}) + "\n"
    )
    assert main(["convert", "train.jsonl", "--output", "out"]) == 0
    assert capsys.readouterr().out == (
        "train.jsonl:1: warning: a span border inside a token: whole tokens are tagged: "
        "LOC, 'War' in 'Warsaw'\n"
        "train.jsonl -> out/train.conll: 1 sentence, 6 tokens\n"
        "\n"
        "column ner, IOB2: 2 entity types, 2 spans in 1 of 1 sentence\n"
        "  LOC  1   B-LOC 1\n"
        "  PER  1   B-PER 1, I-PER 1\n"
        "out/train.conll: 1 sentence, 6 tokens\n"
        "0 errors, 0 warnings\n"
        "\n"
        "In params.yaml:\n"
        "\n"
        "corpus:\n"
        "  name: files\n"
        "  files:\n"
        "    train: out/train.conll\n"
        "    dev: out/train.conll\n"
        "    test: ...  # a file that is not in train\n"
        "    columns: [token, ner]\n"
        "    separator: tab\n"
        '    comment_prefix: "# "\n'
        "    tag_scheme: IOB2\n"
        "tasks: [ner]\n"
    )


def test_the_scheme_of_tokens_with_tags_is_found(folder, capsys):
    row = {"tokens": ["EU", "of", "New", "York"], "ner_tags": ["S-ORG", "O", "B-LOC", "E-LOC"]}
    (folder / "a.jsonl").write_text((json.dumps(row) + "\n") * 5)
    assert main(["convert", "a.jsonl", "--output", "a.conll"]) == 0
    assert "tag_scheme: BIOES" in capsys.readouterr().out


def test_the_exit_status_tells_of_records_that_were_left_out(folder, capsys):
    (folder / "a.jsonl").write_text('{"tokens": ["x"], "ner_tags": ["O"]}\n{\n')
    assert main(["convert", "a.jsonl", "--output", "a.conll"]) == 1
    assert "a.jsonl:2: this is not JSON" in capsys.readouterr().out
    assert main(["convert", "a.conll", "--output", "b.jsonl"]) == 0
    assert main(["convert", "none", "--output", "b.jsonl"]) == 1
