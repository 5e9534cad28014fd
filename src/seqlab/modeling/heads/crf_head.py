"""A head that scores whole tag sequences."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.heads.linear_chain import best_tags, log_partition, marginals, with_boundary_scores
from seqlab.modeling.heads.tag_constraints import FORBIDDEN, BoolMatrix, BoolRow
from seqlab.modeling.heads.tagging_head import TaggingHead, known_tags, real_tokens, token_weights

Tensor = Any


@keras.saving.register_keras_serializable(package="seqlab")
class CRFHead(TaggingHead):
    """A linear-chain conditional random field over the tags of a sentence.

    A sentence of N tokens with logits x (N, K) gives a tag sequence y the score

        s(y) = start[y_1] + sum_n x[n, y_n] + sum_{n<N} transitions[y_n, y_{n+1}] + end[y_N]

    and the probability exp s(y) / Z, Z summing over all sequences (Lafferty, McCallum and Pereira 2001;
    for tagging with neural scores, Lample et al. 2016). The loss is the negative log-likelihood. A token
    whose gold tag is unknown (id 1) is summed out, so that the rest of its sentence still counts. A
    sentence whose gold tags break the constraints has probability 0 under constrained training; it
    contributes nothing, where its loss would be infinite.

    Only first derivatives of the loss are available. T sequential steps are taken, each over K x K scores.

    Mask: passed on unchanged; bool (B, T), True = a real token, right padding. Weights of the loss: 0 for
    padding, on the right or as a whole row; a row weighs what its heaviest token weighs.

    Input: float (B, T, D). Output: float32 logits (B, T, K), the scores x above.

    Args:
        num_tags: K, with the two reserved ids counted.
        constrained_training: whether forbidden sequences are left out of Z. Where they are left in, the
            model learns to avoid them, and they are kept out when decoding.
        start_allowed: K booleans, whether a sentence may begin with the tag. None allows all.
        end_allowed: K booleans, whether a sentence may end with the tag. None allows all.
        transitions_allowed: K rows of K booleans, `[from][to]`. None allows all.

    Raises:
        SeqlabError: for constraints of a wrong size, or that leave some sentence without a tag sequence.
    """

    def __init__(
        self,
        *,
        num_tags: int,
        constrained_training: bool = True,
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
        self.constrained_training = constrained_training

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the projection and the scores of starts, ends and transitions, which begin at 0."""
        for name, shape in (
            ("start", (self.num_tags,)),
            ("end", (self.num_tags,)),
            ("transitions", (self.num_tags, self.num_tags)),
        ):
            # Without autocast, or a mixed-precision model around it would round the scores.
            weight = self.add_weight(name=name, shape=shape, initializer="zeros", autocast=False)
            setattr(self, name, weight)
        super().build(input_shape)

    def loss_sum(
        self, tag_ids: Tensor, logits: Tensor, sample_weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The negative log-likelihood summed over sentences, and the weight of their known gold tags."""
        weights = token_weights(tag_ids, sample_weight)
        known = known_tags(tag_ids)
        mask = weights > 0
        emissions, transitions = self._scores(logits, mask, constrained=self.constrained_training)
        gold = ops.one_hot(tag_ids, self.num_tags, dtype="bool")
        is_possible = ops.logical_or(gold, ops.logical_not(known)[..., None])
        gold_emissions = ops.where(is_possible, emissions, FORBIDDEN)
        # One run over both halves costs less than two.
        log_z, log_gold = ops.split(
            log_partition(
                ops.concatenate([emissions, gold_emissions], axis=0),
                transitions,
                ops.concatenate([mask, mask], axis=0),
            ),
            2,
        )
        is_allowed = log_gold > FORBIDDEN / 2
        row_weights = ops.where(is_allowed, ops.max(weights, axis=1), 0.0)
        token_weight = ops.where(ops.logical_and(known, is_allowed[:, None]), weights, 0.0)
        return ops.sum((log_z - log_gold) * row_weights), ops.sum(token_weight)

    def decode(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """The allowed tag sequence of greatest score, int32 (B, T), 0 on padding."""
        mask = real_tokens(logits, mask)
        emissions, transitions = self._scores(logits, mask, constrained=True)
        return best_tags(emissions, transitions, mask)

    def probabilities(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """p(y_n = k) among the allowed sequences, float32 (B, T, K), 0 on padding."""
        mask = real_tokens(logits, mask)
        emissions, transitions = self._scores(logits, mask, constrained=True)
        return marginals(emissions, transitions, mask)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain values only."""
        return {**super().get_config(), "constrained_training": self.constrained_training}

    def _scores(self, logits: Tensor, mask: Tensor, *, constrained: bool) -> tuple[Tensor, Tensor]:
        """Emissions (B, T, K) with the boundaries' scores in them, and transitions (K, K)."""
        start, end, transitions = (ops.convert_to_tensor(w) for w in (self.start, self.end, self.transitions))
        if constrained:
            start += ops.convert_to_tensor(self.constraints.start_scores, "float32")
            end += ops.convert_to_tensor(self.constraints.end_scores, "float32")
            transitions += ops.convert_to_tensor(self.constraints.transition_scores, "float32")
        return with_boundary_scores(ops.cast(logits, "float32"), start, end, mask), transitions
