"""A tagger in training that learns further tag columns beside its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.tagger import Tagger


class MultiTaskTagger(Tagger):
    """A tagger's own parts, and a softmax head for each auxiliary column over the same encoded tokens.

    Hard parameter sharing (Caruana 1997; for tagging Søgaard and Goldberg 2016, though here every task reads
    the last layer). It exists in training only: what it is made around shares its weights, and is what to
    save.

    Args:
        tagger: built; its parts are trained.
        auxiliary: for each column, K of its tag vocabulary with the two reserved ids counted.
        auxiliary_weight: of each column's mean loss per token, where the task's own weighs 1.
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
            SoftmaxHead(num_tags=num_tags, name=f"auxiliary_head_{number}")
            for number, num_tags in enumerate(auxiliary)
        ]
        for head in self.auxiliary_heads:
            head.build((None, None, tagger.head.projection.kernel.shape[0]))
        self.built = True

    def call(self, features: dict[str, Any], training: bool | None = None) -> Any:
        """Logits (B, T, K) as the tagger's; in training, a pair of them and of a list of each column's."""
        mask = self.compute_token_mask(features)
        x = self.encode(features, mask=mask, training=training)
        logits = self.head(x, mask=mask, training=training)
        if not training:
            return logits
        return logits, [head(x, mask=mask, training=training) for head in self.auxiliary_heads]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The tagger's loss and the weighted losses of the columns.

        Args:
            x: features.
            y: tag ids, int32 (B, T), and the columns' ids, int32 (B, T, columns).
            y_pred: what `call` gives in training.
            sample_weight: float32 (B, T), 0 on padding.
            training: as Keras gives it.
        """
        (tag_ids, auxiliary_ids), (logits, auxiliary_logits) = y, y_pred
        loss = super().compute_loss(x, tag_ids, logits, sample_weight, training)
        for number, head in enumerate(self.auxiliary_heads):
            column_loss = head.loss(auxiliary_ids[..., number], auxiliary_logits[number], sample_weight)
            loss = loss + self.auxiliary_weight * column_loss
        return loss

    def get_config(self) -> dict[str, Any]:
        """None: the tagger that it was made around is what to save.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("save the tagger that the multi-task tagger was made around")
