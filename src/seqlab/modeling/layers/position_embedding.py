"""Absolute positions, learned or as sinusoids."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.layers.sinusoids import sinusoids
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class PositionEmbedding(keras.layers.Layer):
    """Adds to each token's vector a vector that tells how many tokens stand before it.

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged. Positions count from the left, so that right
    padding changes none; padding comes out zero.

    Args:
        max_length: rows of a learned table, the most tokens that a sentence may have; None takes the
            sinusoids of arXiv 1706.03762 (section 3.5), which have no limit and need an even D.
    """

    def __init__(self, *, max_length: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes the table of learned positions.

        Raises:
            SeqlabError: sinusoids of an odd size.
        """
        if self.max_length is not None:
            self.positions = self.add_weight(
                shape=(self.max_length, input_shape[-1]),
                initializer=keras.initializers.RandomNormal(stddev=0.02),
                name="positions",
            )
        elif input_shape[-1] is None or input_shape[-1] % 2:
            raise SeqlabError(
                "sinusoids need vectors of an even size",
                where=self.name,
                expected="an even number",
                received=str(input_shape[-1]),
                remedy="change the size of the vectors (hidden_dim), or take learned positions",
            )

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, D) to (B, T, D).

        Raises:
            SeqlabError: T, where it is known when the graph is made, is above max_length. Where it is not,
                the backend's own error on unequal shapes stops the run.
        """
        length = ops.shape(x)[1]
        if self.max_length is None:
            positions = ops.concatenate(sinusoids(length, x.shape[-1]), axis=-1)
        else:
            self._check_length(length)
            positions = self.positions[:length]
        return zero_padding(x + ops.cast(positions, x.dtype), mask)

    def _check_length(self, length: int | Tensor) -> None:
        if isinstance(length, int) and self.max_length is not None and length > self.max_length:
            raise SeqlabError(
                "a batch is longer than the table of positions",
                where=self.name,
                expected=f"at most {self.max_length} tokens (max_length)",
                received=f"{length} tokens",
                remedy="raise max_length, or take relative or sinusoidal positions, which have no limit",
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to the same."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {**super().get_config(), "max_length": self.max_length}
