from __future__ import annotations

from pathlib import Path

import pytest

from seqlab.tracking.run import TrackedRun
from seqlab.tracking.run_names import as_params, changed_settings, previous_params, run_name

SETTINGS = {
    "seed": 1,
    "embedder": {"dropout": 0.3},
    "encoder": {"type": "transformer", "dropout": 0.1, "num_layers": 2},
    "head": {"type": "crf"},
    "training": {"learning_rate": 0.001, "clip_norm": None},
}


def changed(**sections: object) -> dict[str, str]:
    merged = {
        key: {**value, **sections.get(key, {})} if isinstance(value, dict) else sections.get(key, value)
        for key, value in SETTINGS.items()
    }
    return changed_settings(merged, SETTINGS)


def test_settings_have_the_shortest_key_that_is_unique() -> None:
    assert changed() == {}
    assert changed(training={"learning_rate": 0.002}, seed=2) == {"seed": "2", "learning_rate": "0.002"}
    assert changed(encoder={"dropout": 0.2}) == {"encoder.dropout": "0.2"}
    assert changed(training={"clip_norm": 5.0}) == {"clip_norm": "5.0"}


def test_of_another_encoder_only_its_type_is_named() -> None:
    other = {"type": "bilstm", "dropout": 0.5, "units": 8}
    assert changed(encoder=other, head={"type": "softmax"}) == {"encoder": "bilstm", "head": "softmax"}


def test_logged_parameters_are_compared_as_texts() -> None:
    assert changed_settings(SETTINGS, as_params(SETTINGS)) == {}
    assert changed_settings(SETTINGS, {**as_params(SETTINGS), "seed": "7"}) == {"seed": "1"}
    # A setting that one of the two does not have, as after an update, is not a difference.
    assert changed_settings(SETTINGS, {"old": "1"}) == {}


@pytest.mark.parametrize(
    ("prefix", "changes", "expected"),
    [
        ("quick-lr", {"learning_rate": "0.002"}, "quick-lr learning_rate=0.002"),
        ("3ab01fc", {}, "3ab01fc transformer-crf"),
        ("", {}, "transformer-crf"),
        ("x", {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}, "x a=1 b=2 c=3 +2"),
        ("x", {"lengths": "[8, 16, 24, 32, 64, 128]"}, "x lengths=[8, 16, 24, 32, 64,…"),
    ],
)
def test_names(prefix: str, changes: dict[str, str], expected: str) -> None:
    assert run_name(prefix, changes, default="transformer-crf") == expected


def test_the_previous_parameters_are_those_of_the_newest_run(root: Path) -> None:
    assert previous_params(root, "seqlab-ner") == {}
    for seed in (1, 2):
        params = {"seed": seed, "head": {"type": "crf"}}
        with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a", params=params):
            pass
    assert previous_params(root, "seqlab-ner") == {"seed": "2", "head.type": "crf"}
