"""A tagger that also learns auxiliary tag columns during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.masks.masked_ops import Tensor
from seqlab.modeling.tagger import Tagger


class MultiTaskTagger(Tagger):
    """The parts of a tagger, plus one softmax head per auxiliary column on the same encoded tokens.

    This is hard parameter sharing (Caruana 1997; for tagging, Søgaard and Goldberg 2016, except that here all
    tasks read the last layer). It is used in training only; save the original tagger, which shares its
    weights.

    Args:
        tagger: built; its parts are trained.
        auxiliary: for each column, the size of its tag vocabulary, including the two reserved ids.
        auxiliary_weight: weight of each column's mean loss per token; the task's own loss has weight 1.
    """

    def __init__(self, tagger: Tagger, *, auxiliary: Sequence[int], auxiliary_weight: float) -> None:
        super().__init__(
            embedder=tagger.embedder,
            encoder=tagger.encoder,
            head=tagger.head,
            name=f"{tagger.name}_multi_task",
        )
        self.auxiliary_weight = auxiliary_weight
        self.auxiliary_heads = [
            SoftmaxHead(num_tags=num_tags, name=f"auxiliary_head_{index}")
            for index, num_tags in enumerate(auxiliary)
        ]
        for head in self.auxiliary_heads:
            head.build((None, None, tagger.head.projection.kernel.shape[0]))
        self.built = True

    def call(self, features: dict[str, Tensor], training: bool | None = None) -> Any:
        """Return logits (B, T, K); in training, a pair of the logits and a list of the columns' logits."""
        mask = self.compute_token_mask(features)
        x = self.encode(features, mask=mask, training=training)
        logits = self.head(x, mask=mask, training=training)
        if not training:
            return logits
        return logits, [head(x, mask=mask, training=training) for head in self.auxiliary_heads]

    def loss_sums(self, y: Any, y_pred: Any, sample_weight: Any) -> tuple[list[Tensor], list[Tensor]]:
        """Return the summed losses of the task and of each column, and the weights to divide them by.

        Args:
            y: tag ids, int32 (B, T), and the columns' tag ids, int32 (B, T, columns).
            y_pred: the pair that `call` returns in training.
            sample_weight: float32 (B, T), 0 on padding.
        """
        (tag_ids, auxiliary_ids), (logits, auxiliary_logits) = y, y_pred
        totals, weights = super().loss_sums(tag_ids, logits, sample_weight)
        for index, head in enumerate(self.auxiliary_heads):
            total, weight = head.loss_sum(auxiliary_ids[..., index], auxiliary_logits[index], sample_weight)
            totals.append(total)
            weights.append(weight)
        return totals, weights

    def _zero_logits(self, shape: Any) -> Any:
        zeros = [ops.zeros((*shape, head.num_tags)) for head in self.auxiliary_heads]
        return super()._zero_logits(shape), zeros

    def mean_loss(self, totals: list[Tensor], weights: list[Tensor]) -> Tensor:
        """Return the tagger's loss plus the weighted losses of the columns."""
        loss = super().mean_loss(totals, weights)
        for total, weight in zip(totals[1:], weights[1:], strict=True):
            loss = loss + self.auxiliary_weight * ops.divide_no_nan(total, weight)
        return loss

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("save the tagger that was passed to MultiTaskTagger instead")
