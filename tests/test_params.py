from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from seqlab.errors import SeqlabError
from seqlab.params import load_params, parse_params

PARAMS = Path(__file__).parents[1] / "params.yaml"


@pytest.fixture
def values():
    return yaml.safe_load(PARAMS.read_text(encoding="utf-8"))


def change(values, name, value):
    changed = copy.deepcopy(values)
    *sections, last = name.split(".")
    section = changed
    for part in sections:
        section = section[part]
    section[last] = value
    return changed


def test_the_repositorys_own_parameters_are_right(values):
    params = load_params(PARAMS)
    assert params.tasks == ["ner", "pos"]
    assert params.task("ner").encoder.type == "transformer"
    assert params.task("pos").encoder.type == "bilstm"
    assert params.model_dump(mode="json") == values


def test_any_encoder_and_head_serve_any_task(values):
    swapped = change(change(values, "ner.encoder", values["pos"]["encoder"]), "pos.head.type", "crf")
    params = parse_params(swapped)
    assert params.ner.encoder.type == "bilstm"
    assert params.pos.head.type == "crf"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ner.encoder.num_head", 3, r"ner\.encoder\.num_head: Extra inputs are not permitted \(received 3\)"),
        ("corpus.sample.sentences", 5, r"corpus\.sample\.sentences: .* greater than or equal to 100"),
        ("tasks", ["chunk"], r"tasks\.0: Input should be 'ner' or 'pos' \(received 'chunk'\)"),
        ("device", "tpu", r"device: Input should be 'auto', 'cpu' or 'gpu'"),
        ("ner.encoder.num_heads", 5, r"ner\.encoder: .*even multiple of num_heads"),
        ("ner.training.bucket_boundaries", [16, 8], r"ner\.training: .*must rise"),
        ("ner.training.batch_tokens", 100, r"batch_tokens \(100\) must hold at least one sentence"),
        ("pos.training.monitor", "span_f1", r"pos: .*span_f1 needs a tag_scheme"),
        ("ner.auxiliary.columns", ["xpos", "ner"], r"ner: .*auxiliary.columns names the task's own column"),
        ("ner.auxiliary.columns", "xpos", r"ner.auxiliary.columns.*'all'"),
        ("pos.auxiliary.weight", 0, r"pos.auxiliary.weight"),
        ("pos.training.mention_replacement", 0.5, r"pos: .*mention_replacement needs a tag_scheme"),
        ("ner.training.mention_replacement", 1.5, r"ner.training.mention_replacement"),
        ("ner.tag_scheme", "BIO", r"ner\.tag_scheme: .*'IOB1', 'IOB2' or 'BIOES'"),
    ],
)
def test_a_wrong_parameter_is_named(values, name, value, message):
    with pytest.raises(SeqlabError, match=message):
        parse_params(change(values, name, value))


def test_a_column_may_have_any_name(values):
    values["ner"]["column"] = "al"
    assert parse_params(values).ner.auxiliary.columns == "all"


def test_label_smoothing_is_refused_where_it_would_be_ignored(values):
    changed = change(change(values, "ner.head.type", "crf"), "ner.head.label_smoothing", 0.1)
    with pytest.raises(SeqlabError, match="label_smoothing belongs to the softmax head"):
        parse_params(changed)


def test_a_missing_parameter_is_named(values):
    del values["seed"]
    with pytest.raises(SeqlabError, match="seed: Field required"):
        parse_params(values)


def test_all_problems_are_told_at_once(values):
    with pytest.raises(SeqlabError, match="2 parameters are not right"):
        parse_params(change(change(values, "device", "x"), "seed", "y"))


def test_a_file_that_is_no_yaml_is_told_with_its_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("a: [1\nb: 2\n")
    with pytest.raises(SeqlabError, match=r"params.yaml:2:2: not YAML"):
        load_params(path)


def test_a_missing_file_says_where_to_run(tmp_path):
    with pytest.raises(SeqlabError, match="run from the repository's root"):
        load_params(tmp_path / "params.yaml")
