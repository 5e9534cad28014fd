"""What every head has in common."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.heads.tag_constraints import (
    FORBIDDEN,
    RESERVED_TAGS,
    BoolMatrix,
    BoolRow,
    TagConstraints,
)

Tensor = Any


class TaggingHead(keras.layers.Layer):
    """Turns encoded tokens into tag scores, and tag scores into a loss, tags and probabilities.

    Mask: passed on unchanged; the logits themselves do not depend on it. `loss`, `decode` and
    `probabilities` are given theirs. Masks are bool (B, T), True = a real token, right padding.

    Input: float (B, T, D). Output: float32 logits (B, T, K) under every dtype policy, about -1e9 for the
    reserved ids 0 and 1, which can therefore never be predicted.

    Args:
        num_tags: K, with the two reserved ids counted.
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
        start_allowed: BoolRow | None = None,
        end_allowed: BoolRow | None = None,
        transitions_allowed: BoolMatrix | None = None,
        **kwargs: Any,
    ) -> None:
        # Scores of long sentences are sums that half precision cannot hold.
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
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the projection from D to K."""
        self.projection.build(input_shape)
        self.built = True

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        """float (B, T, D) -> float32 logits (B, T, K)."""
        return ops.where(
            ops.convert_to_tensor(self.constraints.can_predict, "bool"), self.projection(x), FORBIDDEN
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(B, T, D) -> (B, T, K)."""
        return (*input_shape[:-1], self.num_tags)

    def loss(self, tag_ids: Tensor, logits: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The mean loss per weighted token, a float32 scalar; 0 without any token."""
        total, weight = self.loss_sum(tag_ids, logits, sample_weight)
        return ops.divide_no_nan(total, weight)

    def loss_sum(
        self, tag_ids: Tensor, logits: Tensor, sample_weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The summed loss and the weight to divide it by, so that replicas can be added up first.

        Padding, rows that weigh 0 wholly, and tokens whose gold tag is unknown (id 1) add to neither.

        Args:
            tag_ids: int32 (B, T), gold tags.
            logits: float32 (B, T, K), from calling the head.
            sample_weight: float32 (B, T), 0 on padding. None weighs every token with a tag id above 0 as 1.

        Returns:
            Two float32 scalars.
        """
        raise NotImplementedError

    def decode(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """The best allowed tag sequence: float32 (B, T, K) and bool (B, T) -> int32 (B, T), 0 on padding."""
        raise NotImplementedError

    def probabilities(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """p(tag) per token: float32 (B, T, K) and bool (B, T) -> float32 (B, T, K), 0 on padding."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain values only."""
        rows = self.transitions_allowed
        return {
            **super().get_config(),
            "num_tags": self.num_tags,
            "start_allowed": _plain(self.start_allowed),
            "end_allowed": _plain(self.end_allowed),
            "transitions_allowed": None if rows is None else [_plain(row) for row in rows],
        }


def token_weights(tag_ids: Tensor, sample_weight: Tensor | None) -> Tensor:
    """float32 (B, T): `sample_weight`, or 1 wherever the tag id is above 0."""
    return ops.cast(tag_ids > 0 if sample_weight is None else sample_weight, "float32")


def known_tags(tag_ids: Tensor) -> Tensor:
    """bool (B, T): whether the gold tag is one that can be predicted."""
    return tag_ids >= RESERVED_TAGS


def real_tokens(logits: Tensor, mask: Tensor | None) -> Tensor:
    """bool (B, T): `mask`, or True everywhere."""
    return ops.ones_like(logits[..., 0], dtype="bool") if mask is None else ops.cast(mask, "bool")


def _plain(row: BoolRow | None) -> list[bool] | None:
    return None if row is None else [bool(allowed) for allowed in row]
