"""A pretrained encoder of each family through prepare, training, scoring and reloading."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from small_task import prepare_small, small_params

from seqlab.batching.encoding import read_encoded_split
from seqlab.pipeline.evaluating import evaluate_task
from seqlab.pipeline.predicting import load_prepared, predict_split, prediction_plan
from seqlab.pipeline.training import train_task
from tiny_encoders import FAMILIES, write_tiny_encoder

ODD = ["שָׁלוֹם", "\u200d", "🤷", "new york", "[SEP]", "</s>", "x" * 60, "\xa0", "e\u0301", "م" * 30]
"""Right-to-left text, no piece, unknown characters, blanks, special pieces, and tokens of many pieces."""


def params_with(source: Path, **pretrained):
    embedder = {"pretrained": {"source": str(source), **pretrained}, "token_embedding_dim": 0}
    training = {"epochs": 1}
    return small_params(
        "ner", encoder="none", embedder=embedder, training=training, auxiliary={"columns": []}
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_trained_saved_and_gives_each_token_one_tag(family, tmp_path):
    task = params_with(write_tiny_encoder(tmp_path / "encoder", family))
    prepared = prepare_small(tmp_path, task, odd=ODD)
    trained = train_task(prepared, task=task, seed=1)
    assert trained.result.traces == 1
    trained.save(tmp_path / "model.keras")  # compares the reloaded tagger with the trained one
    _, tags = load_prepared(prepared)
    test = read_encoded_split(prepared / "test", tags=tags)
    windows, buckets = prediction_plan(test, task.training)
    rows = list(predict_split(trained.tagger, test, windows=windows, buckets=buckets, spans=True))
    assert [len(row.predicted) for row in rows] == test.lengths.tolist()
    assert rows[-1].tokens == ODD


def test_a_tagger_with_a_mean_of_pieces_and_layers_is_scored_after_reloading(tmp_path):
    task = params_with(write_tiny_encoder(tmp_path / "encoder"), pooling="mean", layers="mix", trained=1)
    prepared = prepare_small(tmp_path, task, odd=ODD)
    trained = train_task(prepared, task=task, seed=1)
    assert 0 < trained.summary["parameters_frozen"] < trained.summary["parameters"]
    assert trained.summary["bucket_unit"] == "pieces"
    trained.save(tmp_path / "model.keras")
    evaluated = evaluate_task(prepared, tmp_path / "model.keras", tmp_path / "predictions", task=task, seed=1)
    assert evaluated.scores["dev"]["token_accuracy"] == trained.summary["dev"]["token_accuracy"]
