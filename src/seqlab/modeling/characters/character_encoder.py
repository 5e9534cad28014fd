"""What all character encoders have in common."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding


class CharacterEncoder(keras.layers.Layer):
    """Turns each token's characters into one vector: the contract of the layers built on this one.

    Shapes: int (B, T, C) -> float (B, T, `output_dim`). Id 0 is padding.

    Mask: read off the ids, True = a real character; C may be any length, and padding characters change
    nothing. What comes out is bool (B, T), True = a token with at least one character. A token without any
    has the zero vector.

    A subclass makes its sublayers in `build_encoder` and uses them in `encode`.

    Args:
        vocabulary_size: number of characters, padding and unknown among them.
        embedding_dim: size of a character's vector.
        dropout: probability that an entry of a character's vector is dropped in training.
    """

    def __init__(
        self, *, vocabulary_size: int, embedding_dim: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.dropout = dropout
        self.supports_masking = True

    @property
    def output_dim(self) -> int:
        """Size of a token's vector."""
        raise NotImplementedError

    def build_encoder(self) -> None:
        """Makes and builds what `encode` needs."""
        raise NotImplementedError

    def encode(self, vectors: Tensor, real: Tensor, training: bool) -> Tensor:
        """Pools characters.

        Args:
            vectors: float (N, C, embedding_dim), zero at padding.
            real: bool (N, C), True = a real character.
            training: whether dropout is on.

        Returns:
            float (N, output_dim); rows without a real character may hold anything finite.
        """
        raise NotImplementedError

    def build(self, input_shape: Shape) -> None:
        """Makes the character table and what the encoder needs."""
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_dim, dtype=self.dtype_policy, name="embedding"
        )
        self.embedding.build((None, None))
        self.vector_dropout = keras.layers.Dropout(
            self.dropout, dtype=self.dtype_policy, name="vector_dropout"
        )
        self.build_encoder()

    def call(self, character_ids: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """Int (B, T, C) to float (B, T, output_dim); an incoming mask is not needed, the ids tell."""
        shape = ops.shape(character_ids)
        ids = ops.reshape(character_ids, (-1, shape[2]))
        real = ops.not_equal(ids, 0)
        vectors = self.vector_dropout(self.embedding(ids), training=training)
        encoded = self.encode(zero_padding(vectors, real), real, training)
        encoded = zero_padding(encoded, ops.any(real, axis=1))
        return ops.reshape(encoded, (shape[0], shape[1], self.output_dim))

    def compute_mask(self, character_ids: Tensor, previous_mask: Tensor | None = None) -> Tensor:
        """Bool (B, T), True = a token with at least one character."""
        return ops.any(ops.not_equal(character_ids, 0), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, C) to (B, T, output_dim)."""
        return (*input_shape[:-1], self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "dropout": self.dropout,
        }
