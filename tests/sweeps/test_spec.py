"""A sweep's file is checked against the parameters before anything runs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from seqlab.errors import SeqlabError
from seqlab.sweeps.journal import Trial
from seqlab.sweeps.search import suggest
from seqlab.sweeps.spec import Range, drawn, read_sweep, sweep_name

PARAMS = Path(__file__).parents[2] / "params.yaml"
START = "task: ner\ntrials: 4\n"


def read(tmp_path: Path, text: str):
    path = tmp_path / "lr.yaml"
    path.write_text(text, encoding="utf-8")
    return read_sweep(path, PARAMS)


def test_defaults_come_from_the_file_and_the_task(tmp_path):
    sweep = read(tmp_path, START + "space: {ner.training.learning_rate: {log_uniform: [1e-4, 1e-2]}}")
    assert (sweep.spec.name, sweep.spec.metric, sweep.spec.search) == ("lr", "span_f1", "tpe")
    assert sweep.params_of({"ner.training.learning_rate": 0.005}).task("ner").training.learning_rate == 0.005
    assert sweep.params.task("ner").training.learning_rate == 0.001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: ner\ntrials: [", r"lr\.yaml:2:\d+: not YAML"),
        ("- a\n", r"line 1: .*valid dictionary"),
        (START + "space: {}", r"line 3: space: .*at least 1 item"),
        (START + "spaces: {}", r"line 3: spaces: Extra inputs"),
        ("task: ner\nspace: {seed: {choice: [1, 2]}}", "trials is missing"),
        ("trials: 2\nspace: {seed: {choice: [1, 2]}}", "task: Field required"),
        ("task: chunk\ntrials: 2\nspace: {seed: {choice: [1, 2]}}", "line 1: unknown task 'chunk'"),
        (START + "metric: f1\nspace: {seed: {choice: [1, 2]}}", "line 3: 'f1' is not a dev score of ner"),
        (
            "task: pos\ntrials: 2\nmetric: span_f1\nspace: {seed: {choice: [1, 2]}}",
            "line 3: 'span_f1' is not",
        ),
        (START + "mode: best\nspace: {seed: {choice: [1, 2]}}", r"line 3: mode: .*'max' or 'min'"),
        (START + "retries: -1\nspace: {seed: {choice: [1, 2]}}", r"line 3: retries: .*greater than or equal"),
        (START + "resources: {cpu: 1}\nspace: {seed: {choice: [1]}}", r"line 3: resources\.cpu: Extra"),
        (START + "name: a/b\nspace: {seed: {choice: [1, 2]}}", "line 3: name: .*pattern"),
        (START + "space:\n  seed: {choice: [1, 2]}\n  seed: {choice: [3]}", "occurs twice"),
        (START + "space:\n  seed: {choose: [1]}", r"line 4: space\.seed\.choose: Extra"),
        (START + "space:\n  seed: {}", r"line 4: space\.seed: needs exactly one of choice"),
        (START + "space:\n  seed: {choice: [1], int: [1, 2]}", "needs exactly one of"),
        (START + "space:\n  seed: {choice: []}", r"line 4: space\.seed\.choice: .*at least 1"),
        (START + "space:\n  seed: {choice: [1, 1]}", "contains a value twice"),
        (START + "space:\n  seed: {int: [2, 1]}", "lower bound must be below"),
        (START + "space:\n  seed: {int: [1]}", r"space\.seed\.int: .*at least 2 items"),
        (START + "space:\n  seed: {int: [1, 6], step: 2}", "step belongs to int, and must divide"),
        (START + "space:\n  ner.head.label_smoothing: {log_uniform: [0, 0.1]}", "must be above 0"),
        (START + "space:\n  ner.training.lerning_rate: {choice: [1.0]}", "line 4: ner.training.lerning_rate"),
        (START + "space:\n  nre.training.epochs: {choice: [1]}", "line 4: nre.training.epochs: unknown"),
        (START + "space:\n  ner.training: {choice: [1]}", r"line 4: ner\.training: .*dictionary"),
        (START + "space:\n  ner.training.epochs: {choice: [3, 0]}", "line 4: .*0: .*greater than 0"),
        (START + "space:\n  ner.training.epochs: {uniform: [1, 3]}\n", "line 4: .*1.5|valid integer"),
        (START + "space:\n  ner.encoder.dropout: {uniform: [0, 1]}", "line 4: .*less than 1"),
        (START + "space:\n  pos.training.epochs: {choice: [1, 2]}", "does not change the task ner"),
        (START + "space:\n  tasks: {choice: [[ner]]}", "does not change the task ner"),
        (
            START + "space:\n  defaults.training.learning_rate: {choice: [0.1, 0.2]}",
            "line 4: .*changes nothing; the section ner overrides it",
        ),
        (
            START + "space:\n  ner.encoder.hidden_dim: {choice: [128, 192]}\n"
            "  ner.encoder.num_heads: {choice: [4, 6]}",
            "ner.encoder.hidden_dim=128, ner.encoder.num_heads=6: .* hidden_dim must be an even",
        ),
        ("task: ner\nsearch: grid\nspace: {seed: {int: [1, 2]}}", "a grid needs `choice`"),
        (START + "search: grid\nspace: {seed: {choice: [1, 2]}}", "remove `trials`"),
    ],
)
def test_bad_sweeps_are_refused_with_their_line(tmp_path, text, message):
    with pytest.raises(SeqlabError, match=message) as caught:
        read(tmp_path, text)
    assert "lr.yaml" in str(caught.value)


def test_the_example_fits_the_parameters():
    sweep = read_sweep(PARAMS.parent / "examples/sweep.yaml", PARAMS)
    assert sweep.spec.name == "ner-rates"
    page = (PARAMS.parent / "docs/sweeps.md").read_text(encoding="utf-8")
    shown = page.split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(shown) == yaml.safe_load(sweep.text)


def test_all_problems_are_reported_at_once(tmp_path):
    with pytest.raises(SeqlabError, match="2 problems") as caught:
        read(tmp_path, START + "space:\n  ner.a: {choice: [1]}\n  seed: {choice: [a]}\n")
    assert "line 4" in str(caught.value)
    assert "line 5" in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(SeqlabError, match="there is no such file"):
        read_sweep(tmp_path / "none.yaml", PARAMS)


def test_a_section_can_be_chosen_as_a_whole(tmp_path):
    bilstm = "{type: bilstm, num_layers: 1, units: 8, dropout: 0.1}"
    sweep = read(tmp_path, START + f"space: {{ner.encoder: {{choice: [{bilstm}]}}}}")
    values = suggest(sweep.spec, [])
    assert sweep.params_of(values).task("ner").encoder.type == "bilstm"


def test_the_name_of_a_sweep_is_that_of_its_file_or_its_own(tmp_path):
    path = tmp_path / "my sweep.yaml"
    path.write_text("task: ner", encoding="utf-8")
    assert sweep_name(path) == "my-sweep"
    path.write_text("name: other", encoding="utf-8")
    assert sweep_name(path) == "other"


SPACE = """
space:
  ner.training.learning_rate: {log_uniform: [1e-4, 1e-2]}
  ner.encoder.dropout: {uniform: [0.0, 0.4]}
  ner.training.batch_size: {int: [8, 32], step: 8}
  ner.training.epochs: {log_int: [1, 20]}
  ner.training.bucket_boundaries: {choice: [24, [8, 16]]}
"""


@pytest.mark.parametrize("search", ["tpe", "random"])
def test_values_are_within_the_space_and_depend_on_the_trials_alone(tmp_path, search):
    spec = read(tmp_path, START + f"search: {search}" + SPACE).spec
    trials: list[Trial] = []
    for number in range(12):
        values = suggest(spec, trials)
        assert values == suggest(spec, trials)
        assert 1e-4 <= values["ner.training.learning_rate"] <= 1e-2
        assert len(f"{values['ner.encoder.dropout']:g}") <= 9
        assert values["ner.training.batch_size"] in (8, 16, 24, 32)
        assert 1 <= values["ner.training.epochs"] <= 20
        assert values["ner.training.bucket_boundaries"] in (24, [8, 16])
        status = ("finished", "stopped", "failed", "running")[number % 4]
        score = 0.5 if status == "finished" else None
        trials.append(Trial(number, values, status, scores=[(1, 0.4), (2, 0.5)], score=score))
    assert len({str(trial.values) for trial in trials}) == 12


def test_the_search_comes_closer_to_what_scores_well(tmp_path):
    spec = read(tmp_path, START + "space: {ner.encoder.dropout: {uniform: [0.0, 0.9]}}").spec
    trials: list[Trial] = []
    for number in range(40):
        values = suggest(spec, trials)
        score = 1 - abs(values["ner.encoder.dropout"] - 0.3)
        trials.append(Trial(number, values, "finished", score=score))
    errors = sorted(1 - trial.score for trial in trials[10:])
    assert sum(errors[:15]) / 15 < 0.05  # of uniform values, the better half is 0.11 away


def test_a_grid_has_every_combination_once(tmp_path):
    space = "space:\n  seed: {choice: [1, 2, 3]}\n  ner.head.type: {choice: [crf, softmax]}"
    spec = read(tmp_path, f"task: ner\nsearch: grid\n{space}").spec
    assert spec.num_trials == 6
    assert len({str(drawn(spec, number)) for number in range(6)}) == 6


def test_random_values_keep_their_bounds():
    source = random.Random(1)
    values = Range.model_validate({"log_int": [1, 3]})
    assert {values.draw(source) for _ in range(100)} == {1, 2, 3}
    assert Range.model_validate({"uniform": [0.12345, 0.2]}).rounded(0.123451) == 0.1235
    assert Range.model_validate({"uniform": [0.0, 0.12345]}).rounded(0.123449) == 0.1234
    assert Range.model_validate({"uniform": [0.0, 0.12345]}).rounded(0.12345) == 0.12345
