"""Characters to token vectors by convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqlab.modeling.characters.character_encoder import CharacterEncoder
from seqlab.modeling.masks.masked_ops import Tensor, masked_max


@keras.saving.register_keras_serializable(package="seqlab")
class CharacterCNN(CharacterEncoder):
    """Convolves a token's characters, keeps each filter's largest answer (Ma and Hovy, arXiv 1603.01354).

    Shapes: int (B, T, C) -> float (B, T, filters * len(kernel_sizes)). Id 0 is padding.

    Mask: read off the ids, True = a real character. A kernel sees zeros before the first and after the last
    real character, and the maximum is taken over real characters alone, so that C may be any length. What
    comes out is bool (B, T), True = a token with at least one character; any other token has the zero vector.

    Formula, per kernel size: `relu(max_c(sum_o W_o e_(c+o)) + b)`. It equals the maximum of the activations,
    since adding b and relu keep order, and costs one pass over the characters less for each of the two.

    Args:
        vocabulary_size: number of characters, padding and unknown among them.
        embedding_dim: size of a character's vector.
        filters: filters per kernel size.
        kernel_sizes: widths in characters.
        dropout: probability that an entry of a character's vector is dropped in training.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_dim: int,
        filters: int,
        kernel_sizes: Sequence[int] = (3,),
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size=vocabulary_size, embedding_dim=embedding_dim, dropout=dropout, **kwargs
        )
        self.filters = filters
        self.kernel_sizes = list(kernel_sizes)

    @property
    def output_dim(self) -> int:
        """Size of a token's vector."""
        return self.filters * len(self.kernel_sizes)

    def build_encoder(self) -> None:
        """Makes one convolution per kernel size, and the bias of them all."""
        self.convolutions = [
            keras.layers.Conv1D(
                self.filters,
                size,
                padding="same",
                use_bias=False,
                dtype=self.dtype_policy,
                name=f"convolution_{index}",
            )
            for index, size in enumerate(self.kernel_sizes)
        ]
        for convolution in self.convolutions:
            convolution.build((None, None, self.embedding_dim))
        self.bias = self.add_weight(shape=(self.output_dim,), initializer="zeros", name="bias")

    def encode(self, vectors: Tensor, real: Tensor, training: bool) -> Tensor:
        """Float (N, C, embedding_dim) and bool (N, C) to float (N, output_dim)."""
        pooled = [masked_max(convolution(vectors), real) for convolution in self.convolutions]
        return ops.relu(ops.concatenate(pooled, axis=-1) + self.bias)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {**super().get_config(), "filters": self.filters, "kernel_sizes": self.kernel_sizes}
