"""A head that scores every token by itself."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.heads.linear_chain import best_tags, with_boundary_scores
from seqlab.modeling.heads.tag_constraints import RESERVED_TAGS, BoolMatrix, BoolRow
from seqlab.modeling.heads.tagging_head import TaggingHead, known_tags, real_tokens, token_weights

Tensor = Any


@keras.saving.register_keras_serializable(package="seqlab")
class SoftmaxHead(TaggingHead):
    """Independent tag scores per token, trained by cross-entropy and decoded under hard constraints.

    The loss of a token is `-sum_k q_k log p_k`, p = softmax(logits), q being 1 - e on the gold tag plus
    e / (K - 2) on each tag that can be predicted, e = `label_smoothing`. Decoding finds the allowed sequence
    of greatest `sum_t log p_t`; without constraints that is each token's best tag.

    Mask: passed on unchanged; bool (B, T), True = a real token, right padding.

    Input: float (B, T, D). Output: float32 logits (B, T, K).

    Args:
        num_tags: K, with the two reserved ids counted.
        label_smoothing: e, from 0 up to but without 1.
        start_allowed: K booleans, whether a sentence may begin with the tag. None allows all.
        end_allowed: K booleans, whether a sentence may end with the tag. None allows all.
        transitions_allowed: K rows of K booleans, `[from][to]`. None allows all.

    Raises:
        SeqlabError: for a label smoothing out of range, constraints of a wrong size, or constraints that
            leave some sentence without a tag sequence.
    """

    def __init__(
        self,
        *,
        num_tags: int,
        label_smoothing: float = 0.0,
        start_allowed: BoolRow | None = None,
        end_allowed: BoolRow | None = None,
        transitions_allowed: BoolMatrix | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_tags=num_tags,
            start_allowed=start_allowed,
            end_allowed=end_allowed,
            transitions_allowed=transitions_allowed,
            **kwargs,
        )
        if not 0.0 <= label_smoothing < 1.0:
            raise SeqlabError(
                "label smoothing out of range",
                where="label_smoothing",
                expected="a number from 0 up to but without 1",
                received=str(label_smoothing),
            )
        self.label_smoothing = label_smoothing

    def loss_sum(
        self, tag_ids: Tensor, logits: Tensor, sample_weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The summed cross-entropy and the summed weight of the tokens with a known gold tag."""
        weights = ops.where(known_tags(tag_ids), token_weights(tag_ids, sample_weight), 0.0)
        # Padding is taken out before the logarithm: what stands there may be anything, NaN included.
        logits = ops.where(weights[..., None] > 0, ops.cast(logits, "float32"), 0.0)
        log_p = ops.log_softmax(logits, axis=-1)[..., RESERVED_TAGS:]
        gold = ops.one_hot(tag_ids - RESERVED_TAGS, self.num_tags - RESERVED_TAGS, dtype="float32")
        smoothed = (1.0 - self.label_smoothing) * gold + self.label_smoothing / gold.shape[-1]
        return ops.sum(-ops.sum(smoothed * log_p, axis=-1) * weights), ops.sum(weights)

    def decode(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """The allowed tag sequence of greatest probability, int32 (B, T), 0 on padding."""
        mask = real_tokens(logits, mask)
        if self.constraints.is_free:
            return ops.where(mask, ops.cast(ops.argmax(logits, axis=-1), "int32"), 0)
        emissions = with_boundary_scores(
            ops.log_softmax(logits, axis=-1),
            ops.convert_to_tensor(self.constraints.start_scores, "float32"),
            ops.convert_to_tensor(self.constraints.end_scores, "float32"),
            mask,
        )
        transitions = ops.convert_to_tensor(self.constraints.transition_scores, "float32")
        return best_tags(emissions, transitions, mask)

    def probabilities(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """softmax(logits), float32 (B, T, K), 0 on padding."""
        return ops.where(real_tokens(logits, mask)[..., None], ops.softmax(logits, axis=-1), 0.0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain values only."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
