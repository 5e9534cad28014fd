"""Token ids to vectors that know their place."""

from __future__ import annotations

from typing import Any

import keras

from seqlab.modeling.layers.position_embedding import PositionEmbedding
from seqlab.modeling.layers.token_embedding import TokenEmbedding
from seqlab.modeling.masks.masked_ops import Shape, Tensor


@keras.saving.register_keras_serializable(package="seqlab")
class TokenAndPositionEmbedding(keras.layers.Layer):
    """Looks each token's vector up, adds its position's, and makes the mask that every later layer reads.

    Shapes: int (B, T) -> float (B, T, D). Id 0 is padding and id 1 is unknown.

    Mask: made here, bool (B, T), `token_ids != 0`, True = a real token. Padding comes out zero: it has a
    position, and no vector.

    Formula: `E[token_ids_t] + p_t`; see `TokenEmbedding` and `PositionEmbedding`.

    Args:
        vocabulary_size: rows of the token table, padding and unknown among them.
        embedding_dim: D; even where positions are sinusoids.
        max_length: rows of a learned table of positions; None takes sinusoids, which have no limit.
        token_dropout: probability, 0 to below 1, that a real id is replaced by 1 in training.

    Raises:
        SeqlabError: sinusoids of an odd size, or, when called, more tokens than max_length.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_dim: int,
        max_length: int | None = None,
        token_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.max_length = max_length
        self.token_dropout = token_dropout
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes both tables."""
        options = {"dtype": self.dtype_policy}
        self.token_embedding = TokenEmbedding(
            vocabulary_size=self.vocabulary_size,
            embedding_dim=self.embedding_dim,
            token_dropout=self.token_dropout,
            name="token_embedding",
            **options,
        )
        self.position_embedding = PositionEmbedding(
            max_length=self.max_length, name="position_embedding", **options
        )
        self.token_embedding.build(input_shape)
        self.position_embedding.build(self.compute_output_shape(input_shape))

    def call(self, token_ids: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """Int (B, T) to float (B, T, D); padding is read off the ids, not off an incoming mask."""
        return self.position_embedding(self.token_embedding(token_ids, training=training))

    def compute_mask(self, token_ids: Tensor, previous_mask: Tensor | None = None) -> Tensor:
        """Bool (B, T), True = a real token."""
        return self.token_embedding.compute_mask(token_ids)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T) to (B, T, D)."""
        return (*input_shape, self.embedding_dim)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "max_length": self.max_length,
            "token_dropout": self.token_dropout,
        }
