"""Positions of tokens: sinusoids and position embeddings."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_finite_padding


def sinusoids(length: int | Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return sine and cosine of `position * 10000^(-2i / dim)`, i < dim / 2 (arXiv 1706.03762, section 3.5).

    Args:
        length: number of positions, starting at 0; may be unknown until the graph runs.
        dim: total number of sines and cosines, even.

    Returns:
        Two float32 (length, dim / 2).
    """
    frequencies = [math.pow(10000.0, -2.0 * index / dim) for index in range(dim // 2)]
    positions = ops.arange(0, length, dtype="float32")
    angles = ops.expand_dims(positions, -1) * ops.convert_to_tensor(frequencies, dtype="float32")
    return ops.sin(angles), ops.cos(angles)


@keras.saving.register_keras_serializable(package="seqlab")
class PositionEmbedding(ConfiguredLayer):
    """Adds a vector for its position to each token's vector.

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged. Positions start at 0 on the left, so right
    padding changes none of them. Padding is set to zero.

    Args:
        max_length: rows of a learned table, the largest T. None selects the sinusoids of arXiv 1706.03762
            (section 3.5), which allow any T and require an even D.
    """

    def __init__(self, *, max_length: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length

    def build(self, input_shape: Shape) -> None:
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
                remedy="change the size of the vectors (hidden_dim), or use learned positions",
            )

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Add the positions.

        Raises:
            SeqlabError: T is static and greater than max_length. If T is dynamic, the backend raises its own
                error about unequal shapes.
        """
        length = ops.shape(x)[1]
        if self.max_length is None:
            positions = ops.concatenate(sinusoids(length, x.shape[-1]), axis=-1)
        elif isinstance(length, int) and length > self.max_length:
            raise SeqlabError(
                "a batch is longer than the table of positions",
                where=self.name,
                expected=f"at most {self.max_length} tokens (max_length)",
                received=f"{length} tokens",
                remedy="increase max_length, or use relative or sinusoidal positions, which have no limit",
            )
        else:
            positions = self.positions[:length]
        return zero_finite_padding(x + ops.cast(positions, x.dtype), mask)

    def compute_output_shape(
        self, input_shape: Shape
    ) -> Shape:  # JAX cannot infer it from `positions[:length]`
        return tuple(input_shape)
