from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from seqlab.modeling.optimizer import WarmupCosine, make_optimizer


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (60, 0.5), (110, 0.0), (500, 0.0)],
)
def test_the_schedule_rises_to_its_peak_and_falls_to_zero(step, expected):
    schedule = WarmupCosine(peak=1.0, warmup_steps=10, total_steps=110)
    assert float(schedule(step)) == pytest.approx(expected, abs=1e-6)


def test_half_way_down_follows_the_cosine():
    schedule = WarmupCosine(peak=2.0, warmup_steps=0, total_steps=100)
    assert float(schedule(25)) == pytest.approx(1 + math.cos(math.pi / 4), rel=1e-5)


def test_the_schedule_round_trips():
    schedule = WarmupCosine(peak=0.5, warmup_steps=3, total_steps=9)
    config = keras.optimizers.schedules.serialize(schedule)
    again = keras.optimizers.schedules.deserialize(config)
    assert again.get_config() == {"peak": 0.5, "warmup_steps": 3, "total_steps": 9}


def test_biases_scales_and_embeddings_do_not_decay():
    model = keras.Sequential(
        [keras.layers.Embedding(4, 3), keras.layers.Dense(2), keras.layers.LayerNormalization()]
    )
    model.build((None, 5))
    optimizer = make_optimizer(learning_rate=0.1, warmup_steps=0, total_steps=10, weight_decay=0.5)
    optimizer.build(model.trainable_variables)
    before = {variable.path: np.array(variable) for variable in model.trainable_variables}
    optimizer.apply([np.zeros(variable.shape, np.float32) for variable in model.trainable_variables])
    changed = {
        variable.path
        for variable in model.trainable_variables
        if not np.array_equal(before[variable.path], variable)
    }
    assert {path.rpartition("/")[2] for path in changed} == {"kernel"}


def test_clipping_bounds_the_global_norm():
    clipped = make_optimizer(learning_rate=1.0, warmup_steps=0, total_steps=9, clip_norm=1.0)
    assert clipped.global_clipnorm == 1.0
    assert make_optimizer(learning_rate=1.0, warmup_steps=0, total_steps=9).global_clipnorm is None
