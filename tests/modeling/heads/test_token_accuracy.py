from __future__ import annotations

import keras
import numpy as np
import pytest

from seqlab.modeling.heads.token_accuracy import TokenAccuracy

GOLD = np.array([[2, 3, 1, 0], [3, 0, 0, 0]])
PREDICTED = np.array([[2, 2, 1, 0], [3, 3, 0, 0]])
WEIGHTS = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], "float32")


@pytest.mark.parametrize("predicted", [PREDICTED, np.eye(4)[PREDICTED]], ids=["tag_ids", "logits"])
def test_counts_weighted_tokens_once(predicted):
    metric = TokenAccuracy()
    metric.update_state(GOLD, predicted, WEIGHTS)
    assert metric.result() == 0.75


def test_without_weights_padding_does_not_count():
    metric = TokenAccuracy()
    metric.update_state(GOLD, PREDICTED)
    assert metric.result() == 0.75


def test_batches_are_weighted_by_their_tokens_and_reset():
    metric = TokenAccuracy()
    metric.update_state(GOLD[:1], PREDICTED[:1], WEIGHTS[:1])
    metric.update_state(GOLD[1:], np.zeros((1, 4)), WEIGHTS[1:] * 5)
    assert metric.result() == 2 / 8
    metric.reset_state()
    assert metric.result() == 0


def test_a_mask_on_the_predictions_changes_nothing():
    """Keras would multiply weights and mask: the weights alone decide."""
    predicted = keras.ops.convert_to_tensor(np.eye(4)[PREDICTED])
    predicted._keras_mask = keras.ops.convert_to_tensor(np.zeros((2, 4), bool))
    metric = TokenAccuracy()
    metric.update_state(GOLD, predicted, WEIGHTS)
    assert metric.result() == 0.75


def test_serializes_by_its_registered_name():
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(TokenAccuracy(name="dev_accuracy"))
    )
    assert isinstance(again, TokenAccuracy)
    assert again.name == "dev_accuracy"
    assert keras.saving.get_registered_name(TokenAccuracy) == "seqlab>TokenAccuracy"
