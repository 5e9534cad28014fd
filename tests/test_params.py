from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from seqlab.errors import SeqlabError
from seqlab.params_file import load_params, parse_params, require_paths_inside
from seqlab.stages import download, prepare

PARAMS = Path(__file__).parents[1] / "params.yaml"


@pytest.fixture
def values():
    return yaml.safe_load(PARAMS.read_text(encoding="utf-8"))


def without_defaults(values):
    """The values of a params.yaml that repeats every parameter in every task's section."""
    params = parse_params(values).model_dump(mode="json")
    return params | params.pop("sections") | {"defaults": {"auxiliary": {}, "embedder": {}, "training": {}}}


def change(values, name, value):
    changed = copy.deepcopy(values)
    *sections, last = name.split(".")
    section = changed
    for part in sections:
        section = section[part]
    section[last] = value
    return changed


def test_params_yaml_is_valid(values):
    params = load_params(PARAMS)
    assert params.tasks == ["ner", "pos"]
    assert params.task("ner").encoder.type == "transformer"
    assert params.task("pos").encoder.type == "bilstm"
    assert params.task("pos").training.epochs == values["defaults"]["training"]["epochs"]


def test_a_section_may_repeat_the_defaults(values):
    assert parse_params(without_defaults(values)) == parse_params(values)


def test_every_task_accepts_every_encoder_and_head(values):
    swapped = change(change(values, "ner.encoder", values["pos"]["encoder"]), "pos.head.type", "crf")
    params = parse_params(swapped)
    assert params.task("ner").encoder.type == "bilstm"
    assert params.task("pos").head.type == "crf"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ner.encoder.num_head", 3, r"ner\.encoder\.num_head: Extra inputs are not permitted \(received 3\)"),
        ("corpus.sample.sentences", 5, r"corpus\.sample\.sentences: .* greater than or equal to 100"),
        ("tasks", ["chunk"], r"tasks contains chunk, which has no section; docs/tasks.md shows how"),
        ("sed", 13, r"sed: unknown parameter; the section of a task contains `column`"),
        ("defaults", None, r"defaults: must contain auxiliary, embedder, training, which may be {}"),
        ("defaults.training.epochs", 0, r"received: defaults\.training\.epochs: .* \(received 0\)\n  remedy"),
        ("defaults.embedder.shap", True, r"received: defaults\.embedder\.shap: Extra inputs"),
        ("defaults.embeder", {}, r"defaults: must contain"),
        ("defaults", [1], r"received: defaults: must contain auxiliary, .*\n  remedy"),
        ("defaults.training", None, r"received: defaults: must contain auxiliary, .*\n  remedy"),
        ("pos.training.epoch", 3, r"received: pos\.training\.epoch: Extra inputs"),
        ("device", "tpu", r"device: Input should be 'auto', 'cpu' or 'gpu'"),
        ("ner.encoder.num_heads", 3, r"ner\.encoder: .*even multiple of num_heads"),
        ("ner.training.bucket_boundaries", [16, 8], r"ner\.training: .*must be ascending"),
        (
            "ner.training.batch_tokens",
            100,
            r"batch_tokens \(100\) must be at least .* \(128\)",
        ),
        ("pos.training.monitor", "span_f1", r"pos: .*span_f1 needs a tag_scheme"),
        (
            "ner.auxiliary.columns",
            ["xpos", "ner"],
            r"ner: .*auxiliary.columns contains the task's own",
        ),
        ("ner.auxiliary.columns", "xpos", r"ner.auxiliary.columns.*'all'"),
        ("pos.auxiliary.weight", 0, r"pos.auxiliary.weight"),
        ("pos.training.mention_replacement", 0.5, r"pos: .*mention_replacement needs a tag_scheme"),
        ("ner.training.mention_replacement", 1.5, r"ner.training.mention_replacement"),
        ("ner.tag_scheme", "BIO", r"ner\.tag_scheme: .*'IOB1', 'IOB2' or 'BIOES'"),
    ],
)
def test_invalid_parameter_is_named(values, name, value, message):
    with pytest.raises(SeqlabError, match=message):
        parse_params(change(values, name, value))


def test_column_may_have_any_name(values):
    values["ner"]["column"] = "al"
    assert parse_params(values).task("ner").auxiliary.columns == "all"


def test_label_smoothing_with_a_crf_head_is_an_error(values):
    changed = change(change(values, "ner.head.type", "crf"), "ner.head.label_smoothing", 0.1)
    with pytest.raises(SeqlabError, match="label_smoothing belongs to the softmax head"):
        parse_params(changed)


def test_missing_parameter_is_named(values):
    del values["seed"], values["pos"]["embedder"], values["ner"]["training"]["learning_rate"]
    del values["defaults"]["training"]["learning_rate"]
    with pytest.raises(SeqlabError, match="3 invalid parameters") as caught:
        parse_params(values)
    assert "seed: Field required" in str(caught.value)
    assert "ner.training.learning_rate: Field required" in str(caught.value)
    assert "pos.embedder: missing; {} takes all of it from defaults" in str(caught.value)


def test_a_task_of_any_name_takes_what_it_lacks_from_the_defaults(values):
    values["chunk"] = values["ner"] | {"column": "chunks", "training": {"epochs": 3, "monitor": "span_f1"}}
    values["tasks"] = ["chunk", "pos"]
    params = parse_params(values)
    assert params.task("chunk").training.epochs == 3
    assert params.task("chunk").training.batch_size == values["defaults"]["training"]["batch_size"]
    assert params.task("ner").training.mention_replacement == 0.5
    with pytest.raises(SeqlabError, match=r"expected: ner or pos or chunk\n  received: 'chunks'"):
        params.task("chunks")


@pytest.mark.parametrize("name", ["named entities", "1st", "../ner", 1, True])
def test_a_task_s_name_is_safe_in_paths_and_commands(values, name):
    values[name] = values["ner"]
    with pytest.raises(SeqlabError, match=rf"received: {name}: a task's name is a letter, then letters"):
        parse_params(values)


def test_all_problems_are_reported_at_once(values):
    with pytest.raises(SeqlabError, match="2 invalid parameters"):
        parse_params(change(change(values, "device", "x"), "seed", "y"))


def test_yaml_error_has_a_line_and_column(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("a: [1\nb: 2\n")
    with pytest.raises(SeqlabError, match=r"params.yaml:2:2: not YAML"):
        load_params(path)


def test_missing_file_error_names_the_directory_to_run_in(tmp_path):
    with pytest.raises(SeqlabError, match="run from the repository's root"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("name", "value"), [("jit_compile", True), ("run_eagerly", True), ("mixed_precision", "mixed_float16")]
)
def test_settings_for_one_device_alone_are_refused_with_a_strategy(values, name, value):
    values["pos"]["training"] |= {"strategy": "mirrored", name: value}
    with pytest.raises(SeqlabError, match=f"training.strategy mirrored needs .*{name}: "):
        parse_params(values)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ner.training.warmup_epochs", float("inf"), r"warmup_epochs: Input should be a finite number"),
        ("ner.training.weight_averaging_epochs", float("inf"), r"averaging_epochs: .* finite number"),
        ("ner.training.epochs", True, r"ner\.training\.epochs: Input should be a valid integer"),
        ("ner.training.epochs", "3", r"ner\.training\.epochs: .*valid integer.* \(received '3'\)"),
        ("ner.training.learning_rate", "0.1", r"learning_rate: .*valid number.* \(received '0.1'\)"),
        ("tasks", ["ner", "ner"], r"tasks contains a task twice, received \['ner', 'ner'\]"),
        ("tasks", ["ner", "NER"], r"tasks contains a task twice"),
        ("tasks", ["ner; touch x"], r"tasks\.0: String should match pattern"),
    ],
)
def test_a_value_of_another_type_is_refused(values, name, value, message):
    with pytest.raises(SeqlabError, match=message):
        parse_params(change(values, name, value))


def test_a_key_that_occurs_twice_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.read_text(encoding="utf-8") + "seed: 14\n", encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"params\.yaml:\d+:1: not YAML\n.*the key 'seed' occurs twice"):
        load_params(path)


def test_a_file_in_latin_1_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(PARAMS.read_bytes() + "# Zürich\n".encode("latin-1"))
    with pytest.raises(SeqlabError, match=r"params\.yaml:\d+: not UTF-8\n.*byte 0xFC\n.*iconv"):
        load_params(path)


def test_a_power_of_ten_without_a_point_is_a_number(tmp_path):
    path = tmp_path / "params.yaml"
    text = PARAMS.read_text(encoding="utf-8").replace("learning_rate: 0.001\n", "learning_rate: 1e-3\n")
    path.write_text(text, encoding="utf-8")
    assert load_params(path).task("ner").training.learning_rate == 0.001


@pytest.mark.parametrize(
    ("changes", "where", "remedy"),
    [
        (
            {"corpus.name": "files", "corpus.files.dev": "data/../../own/dev.conll"},
            "corpus.files.dev",
            "/team/own/dev.conll",
        ),
        ({"corpus.mirror": "../mirror"}, "corpus.mirror", "/team/mirror"),
        (
            {"defaults.embedder.vectors": "../v.txt"},
            "ner.embedder.vectors, pos.embedder.vectors",
            "/team/v.txt",
        ),
    ],
)
def test_a_relative_path_out_of_the_repository_is_refused_with_the_absolute_one(
    values, changes, where, remedy
):
    for name, value in changes.items():
        values = change(values, name, value)
    with pytest.raises(SeqlabError) as raised:
        require_paths_inside(parse_params(values), Path("/team/repository"))
    assert str(raised.value).startswith(f"{where}: a relative path leads out of the repository")
    assert str(raised.value).endswith(f"so write {remedy}")


@pytest.mark.parametrize(
    "changes",
    [
        {"corpus.files.train": "../own/train.conll"},  # not read: the corpus is the sample
        {"corpus.name": "files", "corpus.files.train": "/own/train.conll"},
        {"corpus.name": "files", "corpus.files.train": "..data/train.conll"},
        {"corpus.mirror": "https://example.org/../mirror"},
        {"corpus.name": "files", "corpus.files.train": "data/../data/train.conll"},
    ],
)
def test_other_paths_are_accepted(values, changes):
    for name, value in changes.items():
        values = change(values, name, value)
    require_paths_inside(parse_params(values), Path("/team/repository"))


@pytest.mark.parametrize("stage", [download.download, lambda: prepare.prepare("ner")])
def test_the_stages_that_read_paths_refuse_them_before_they_write(stage, values, tmp_path, monkeypatch):
    """In a queued experiment the working directory is not the repository, which DVC_ROOT names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", "/team/repository")
    values = change(values, "ner.embedder.vectors", "../v.txt")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"ner.embedder.vectors: a relative path .*[\s\S]*/team/v.txt"):
        stage()
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
