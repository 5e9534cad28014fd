from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_task import prepare_small, small_params

from seqlab.evaluation.predictions import read_predictions
from seqlab.modeling.tagger import Tagger
from seqlab.pipeline import training
from seqlab.pipeline.evaluating import evaluate_task
from seqlab.pipeline.training import train_task


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with prepared data, the parameters, and a tagger trained on them."""
    folder = tmp_path_factory.mktemp("small")
    params = small_params()
    prepared = prepare_small(folder, params)
    events = []
    result = train_task(
        prepared,
        task=params,
        seed=3,
        on_start=lambda summary: events.append(("start", dict(summary))),
        on_step=lambda epoch, step, loss: events.append(("step", (epoch, step, loss))),
        on_epoch=lambda row: events.append(("epoch", row)),
    )
    result.save(folder / "model.keras")
    return folder, params, result, events


def test_the_summary_describes_the_training(trained):
    _, _, result, events = trained
    summary = result.summary
    assert summary["epochs"] == 2
    assert summary["training_traces"] == 1
    assert summary["batch_shapes"] == len(summary["buckets"])
    assert summary["rows_per_epoch"] + summary["rows_dropped_per_epoch"] >= 40
    assert summary["layers_reached_by_mask"] > 0
    assert summary["auxiliary_columns"] == ["upos"]
    assert set(summary["dev"]) == {"token_accuracy", "span_precision", "span_recall", "span_f1"}
    assert [values[:2] for kind, values in events if kind == "step"] == [
        (epoch, summary["steps_per_epoch"]) for epoch in (1, 2)
    ]
    assert [kind for kind, _ in events if kind != "step"] == ["start", "epoch", "epoch"]
    started = events[0][1]
    assert started == {name: summary[name] for name in started}


def test_the_learning_curve_has_losses_rates_and_dev_scores(trained):
    rows = trained[2].curve_rows()
    assert {row["series"] for row in rows} == {
        "train_loss", "learning_rate", "dev token_accuracy", "dev span_f1", "dev span_precision",
        "dev span_recall",
    }  # fmt: skip
    assert {row["epoch"] for row in rows} == {1, 2}


def test_the_dev_score_of_training_is_the_evaluations(trained):
    folder, params, result, _ = trained
    evaluated = evaluate_task(
        folder / "prepared", folder / "model.keras", folder / "predictions", task=params, seed=1
    )
    for name, value in result.summary["dev"].items():
        assert evaluated.scores["dev"][name] == pytest.approx(value, abs=1e-12)
    low, high = evaluated.scores["test"]["span_f1_interval"]
    assert low <= evaluated.scores["test"]["span_f1"] <= high
    corpus = json.loads((folder / "prepared" / "corpus.json").read_text(encoding="utf-8"))
    for split in ("dev", "test"):
        sentences = list(read_predictions(folder / "predictions" / f"{split}.conll"))
        assert sum(len(sentence.tokens) for sentence in sentences) == corpus["splits"][split]["tokens"]
    gold = {tag for sentence in sentences for tag in sentence.gold}
    assert gold <= {"O", "B-PER", "B-LOC", "I-LOC"}, "predictions are in IOB2, the model's tags in BIOES"


def test_equal_seeds_give_equal_weights(trained):
    folder, params, result, _ = trained
    again = train_task(folder / "prepared", task=params, seed=3)
    assert all(map(np.array_equal, result.tagger.get_weights(), again.tagger.get_weights()))
    assert again.result.history[0]["train_loss"] == result.result.history[0]["train_loss"]


class StartedError(Exception):
    pass


@pytest.mark.parametrize(
    ("steps", "two_operations", "eager", "expected"),
    [(1, True, False, True), (1000, True, False, False), (1, False, False, False), (1, True, True, False)],
    ids=["halved", "few steps", "one core", "eager"],
)
def test_batches_are_halved_where_it_pays(trained, monkeypatch, steps, two_operations, eager, expected):
    monkeypatch.setattr(training, "HALVING_STEPS", steps)
    monkeypatch.setattr(training, "runs_two_operations", lambda: two_operations)
    halved = []
    monkeypatch.setattr(Tagger, "halve_rows", lambda tagger: halved.append(tagger))

    def stop(summary):
        assert summary["halves_rows"] is expected
        raise StartedError

    with pytest.raises(StartedError):
        train_task(
            trained[0] / "prepared", task=small_params(training={"run_eagerly": eager}), seed=3, on_start=stop
        )
    assert len(halved) == expected


def test_buckets_of_one_token_train(tmp_path):
    params = small_params("pos", training={"bucket_boundaries": [1], "window_length": 1, "epochs": 1})
    result = train_task(prepare_small(tmp_path / "small", params), task=params, seed=3)
    assert result.summary["batch_shapes"] == 1
    assert 0 <= result.summary["dev"]["token_accuracy"] <= 1


def test_one_epoch_leaves_the_warm_up(trained):
    folder, _, _, _ = trained
    params = small_params(training={"epochs": 1, "warmup_epochs": 1.0})
    result = train_task(folder / "prepared", task=params, seed=4)
    peak = params.training.learning_rate
    assert result.result.history[-1]["learning_rate"] < 0.5 * peak, "the rate decays at the end"
    assert result.result.history[0]["train_loss"] != trained[2].result.history[0]["train_loss"], (
        "another seed"
    )
