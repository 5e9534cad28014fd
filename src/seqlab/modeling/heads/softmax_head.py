"""Softmax head: scores every token independently."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.heads.linear_chain import best_tags, with_boundary_scores
from seqlab.modeling.heads.tagging_head import TaggingHead
from seqlab.modeling.masks.masked_ops import Tensor
from seqlab.tags import NUM_RESERVED


@keras.saving.register_keras_serializable(package="seqlab")
class SoftmaxHead(TaggingHead):
    """Independent tag scores per token, trained with cross-entropy and decoded under hard constraints.

    The loss of a token is `-sum_k q_k log p_k` with p = softmax(logits) and q = 1 - e on the gold tag plus
    e / (K - 2) on each tag that can be predicted, e = `label_smoothing`. Decoding returns the allowed
    sequence with the largest `sum_t log p_t`; without constraints that is the best tag of each token.

    Shapes and mask (True = a real token): see `TaggingHead`.

    Args:
        label_smoothing: e, at least 0 and below 1.

    Raises:
        SeqlabError: for label smoothing out of range, or invalid constraints.
    """

    def __init__(self, *, label_smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= label_smoothing < 1.0:
            raise SeqlabError(
                "label smoothing out of range",
                where="label_smoothing",
                expected="a number that is at least 0 and below 1",
                received=str(label_smoothing),
            )
        self.label_smoothing = label_smoothing

    def loss_sum(self, tag_ids: Tensor, logits: Tensor, sample_weight: Tensor) -> tuple[Tensor, Tensor]:
        weights = ops.where(tag_ids >= NUM_RESERVED, ops.cast(sample_weight, "float32"), 0.0)
        # Padding may contain anything, including NaN, so it is replaced before the logarithm.
        logits = ops.where(weights[..., None] > 0, ops.cast(logits, "float32"), 0.0)
        log_p = ops.log_softmax(logits, axis=-1)[..., NUM_RESERVED:]
        gold = ops.one_hot(tag_ids - NUM_RESERVED, self.num_tags - NUM_RESERVED, dtype="float32")
        smoothed = (1.0 - self.label_smoothing) * gold + self.label_smoothing / gold.shape[-1]
        return ops.sum(-ops.sum(smoothed * log_p, axis=-1) * weights), ops.sum(weights)

    def decode(self, logits: Tensor, mask: Tensor) -> Tensor:
        if self.constraints.is_free:
            return ops.where(mask, ops.cast(ops.argmax(logits, axis=-1), "int32"), 0)
        start, end, transitions = self.constraint_scores()
        return best_tags(
            with_boundary_scores(ops.log_softmax(logits, axis=-1), start, end, mask), transitions, mask
        )

    def probabilities(self, logits: Tensor, mask: Tensor) -> Tensor:
        return ops.where(mask[..., None], ops.softmax(logits, axis=-1), 0.0)
