"""CRF head: scores whole tag sequences."""

from __future__ import annotations

import keras
from keras import ops

from seqlab.modeling.heads.linear_chain import best_tags, log_partition, marginals, with_boundary_scores
from seqlab.modeling.heads.tagging_head import TaggingHead
from seqlab.modeling.masks.masked_ops import MASKED_SCORE, Shape, Tensor
from seqlab.tags import NUM_RESERVED


@keras.saving.register_keras_serializable(package="seqlab")
class CRFHead(TaggingHead):
    """A linear-chain conditional random field over the tags of a sentence.

    A sentence of N tokens with logits x (N, K) gives a tag sequence y the score

        s(y) = start[y_1] + sum_n x[n, y_n] + sum_{n<N} transitions[y_n, y_{n+1}] + end[y_N]

    and the probability exp s(y) / Z, where Z sums over all allowed sequences (Lafferty, McCallum and Pereira
    2001; for tagging with neural scores, Lample et al. 2016). The loss is the negative log-likelihood. A
    token with an unknown gold tag (id 1) is marginalised out, so the rest of its sentence still counts. A
    sentence whose gold tags violate the constraints has probability 0 and an infinite loss; it is left out.

    Only first derivatives of the loss are available. Inference takes T sequential steps over K x K scores.

    Shapes and mask (True = a real token): see `TaggingHead`. In the loss, a sentence has the weight of its
    heaviest token.
    """

    def build(self, input_shape: Shape) -> None:
        # Without autocast=False, a mixed-precision model would round the scores.
        self.start, self.end, self.transitions = (
            self.add_weight(name=name, shape=shape, initializer="zeros", autocast=False)
            for name, shape in (
                ("start", (self.num_tags,)),
                ("end", (self.num_tags,)),
                ("transitions", (self.num_tags, self.num_tags)),
            )
        )
        super().build(input_shape)

    def loss_sum(self, tag_ids: Tensor, logits: Tensor, sample_weight: Tensor) -> tuple[Tensor, Tensor]:
        weights = ops.cast(sample_weight, "float32")
        known = tag_ids >= NUM_RESERVED
        mask = weights > 0
        emissions, transitions = self._scores(logits, mask)
        gold = ops.one_hot(tag_ids, self.num_tags, dtype="bool")
        is_possible = ops.logical_or(gold, ops.logical_not(known)[..., None])
        log_z = log_partition(emissions, transitions, mask)
        log_gold = log_partition(emissions, transitions, mask, is_possible)
        is_allowed = log_gold > MASKED_SCORE / 2
        row_weights = ops.where(is_allowed, ops.max(weights, axis=1), 0.0)
        token_weights = ops.where(ops.logical_and(known, is_allowed[:, None]), weights, 0.0)
        return ops.sum((log_z - log_gold) * row_weights), ops.sum(token_weights)

    def decode(self, logits: Tensor, mask: Tensor) -> Tensor:
        return best_tags(*self._scores(logits, mask), mask)

    def probabilities(self, logits: Tensor, mask: Tensor) -> Tensor:
        return marginals(*self._scores(logits, mask), mask)

    def _scores(self, logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return emissions (B, T, K) with the boundary scores added, and transitions (K, K)."""
        start, end, transitions = (
            weight + allowed
            for weight, allowed in zip(
                (self.start, self.end, self.transitions), self.constraint_scores(), strict=True
            )
        )
        return with_boundary_scores(ops.cast(logits, "float32"), start, end, mask), transitions
