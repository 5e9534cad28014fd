"""Token accuracy over any number of batches, counted once per token."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.heads.tagging_head import token_weights

Tensor = Any


@keras.saving.register_keras_serializable(package="seqlab")
class TokenAccuracy(keras.metrics.Metric):
    """The weighted share of tokens whose predicted tag is the gold one.

    Both counts are summed over batches and divided once, so that neither padding nor the way sentences fall
    into batches changes the result. A gold tag that is unknown (id 1) counts as a miss.

    Args:
        name: the metric's name.
    """

    def __init__(self, name: str = "token_accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.correct = self.add_variable(shape=(), initializer="zeros", dtype="float32", name="correct")
        self.total = self.add_variable(shape=(), initializer="zeros", dtype="float32", name="total")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        """Adds a batch.

        Args:
            y_true: int (B, T), gold tag ids.
            y_pred: float (B, T, K) logits or probabilities, or int (B, T) tag ids.
            sample_weight: float (B, T), 0 on padding. None weighs every token with a tag id above 0 as 1.
        """
        tag_ids = ops.cast(y_true, "int32")
        predicted = ops.argmax(y_pred, axis=-1) if len(y_pred.shape) > len(tag_ids.shape) else y_pred
        weights = token_weights(tag_ids, sample_weight)
        hits = ops.where(ops.cast(predicted, "int32") == tag_ids, weights, 0.0)
        self.correct.assign_add(ops.sum(hits))
        self.total.assign_add(ops.sum(weights))

    def result(self) -> Tensor:
        """The accuracy so far, from 0 to 1, a float32 scalar; 0 without any token."""
        return ops.divide_no_nan(self.correct, self.total)
