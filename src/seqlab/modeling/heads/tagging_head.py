"""Base class of the heads, and their loss for `Model.compile`."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.heads.tag_constraints import BoolMatrix, BoolRow, TagConstraints
from seqlab.modeling.masks.masked_ops import MASKED_SCORE, Shape, Tensor
from seqlab.tags import PADDING_ID


class TaggingHead(ConfiguredLayer):
    """Computes logits from encoded tokens, and a loss, tags and probabilities from logits.

    Input: float (B, T, D). Output: float32 logits (B, T, K) under every dtype policy, -1e9 for the reserved
    ids 0 and 1, so that they are never predicted.

    Mask: bool (B, T), True = a real token, right padding; passed on unchanged. The logits do not depend on
    it. `decode` and `probabilities` take it as an argument, and `loss` takes sample weights instead.

    Args:
        num_tags: K, including the two reserved ids.
        start_allowed: K booleans, whether a sentence may start with the tag. None allows all.
        end_allowed: K booleans, whether a sentence may end with the tag. None allows all.
        transitions_allowed: K rows of K booleans, `[from][to]`. None allows all.

    Raises:
        SeqlabError: for invalid constraints; see `TagConstraints`.
    """

    def __init__(
        self,
        *,
        num_tags: int,
        start_allowed: BoolRow | None = None,
        end_allowed: BoolRow | None = None,
        transitions_allowed: BoolMatrix | None = None,
        **kwargs: Any,
    ) -> None:
        # The scores of long sentences are sums that half precision cannot represent.
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_tags = num_tags
        self.start_allowed = start_allowed
        self.end_allowed = end_allowed
        self.transitions_allowed = transitions_allowed
        self.constraints = TagConstraints(
            num_tags=num_tags,
            start_allowed=start_allowed,
            end_allowed=end_allowed,
            transitions_allowed=transitions_allowed,
        )
        self.projection = keras.layers.Dense(num_tags, dtype="float32", name="projection")
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, input_shape: Shape) -> None:
        self.projection.build(input_shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        can_predict = ops.convert_to_tensor(self.constraints.can_predict, "bool")
        return ops.where(can_predict, self.projection(x), MASKED_SCORE)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.num_tags)

    def constraint_scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the constraints as scores to add: start (K,), end (K,) and transitions (K, K), float32."""
        rules = self.constraints
        start, end, transitions = (
            ops.convert_to_tensor(scores)
            for scores in (rules.start_scores, rules.end_scores, rules.transition_scores)
        )
        return start, end, transitions

    def loss(self, tag_ids: Tensor, logits: Tensor, sample_weight: Tensor) -> Tensor:
        """Return the mean loss per weighted token, a float32 scalar; 0 if there is no token."""
        total, weight = self.loss_sum(tag_ids, logits, sample_weight)
        return ops.divide_no_nan(total, weight)

    def loss_sum(self, tag_ids: Tensor, logits: Tensor, sample_weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the summed loss and the weight to divide it by.

        Tokens with weight 0 (padding, rows that fill a batch) and tokens with an unknown gold tag (id 1)
        contribute to neither.

        Args:
            tag_ids: int32 (B, T), gold tags.
            logits: float32 (B, T, K), from calling the head.
            sample_weight: float32 (B, T), 0 on padding.

        Returns:
            Two float32 scalars.
        """
        raise NotImplementedError

    def decode(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Return the best allowed tags: float32 (B, T, K) and bool (B, T) -> int32 (B, T), 0 on padding."""
        raise NotImplementedError

    def probabilities(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Return p(tag): float32 (B, T, K) and bool (B, T) -> float32 (B, T, K), 0 on padding."""
        raise NotImplementedError


class TaggingLoss(keras.losses.Loss):
    """The mean loss per real token of a `SoftmaxHead` or `CRFHead`, in a model that ends with this head.

    `model.compile(loss=TaggingLoss(model.get_layer("head")))`. Gold tags are int32 (B, T), 0 at padding, and
    predictions are the head's logits. The project's own training calls `TaggingHead.loss_sum` instead.

    Args:
        head: the head; its weights, such as the transitions of a CRF, are part of the loss.
    """

    def __init__(self, head: TaggingHead, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.head = head

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the loss, a float32 scalar.

        Args:
            y_true: int (B, T), gold tags, 0 at padding.
            y_pred: float32 (B, T, K), the head's logits.
            sample_weight: float (B, T), 0 at padding; None weighs every token that is not padding 1.
        """
        tag_ids = ops.cast(y_true, "int32")
        if sample_weight is None:
            sample_weight = ops.cast(tag_ids != PADDING_ID, "float32")
        return self.head.loss(tag_ids, y_pred, sample_weight)
