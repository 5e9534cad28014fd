"""Token ids to vectors."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding

UNKNOWN_ID = 1


@keras.saving.register_keras_serializable(package="seqlab")
class TokenEmbedding(keras.layers.Layer):
    """Looks each token's vector up, and makes the mask that every later layer reads.

    Shapes: int (B, T) -> float (B, T, D). Id 0 is padding and id 1 is unknown.

    Mask: made here, bool (B, T), `token_ids != 0`, True = a real token. Padding's vector is zero, whatever
    stands in row 0 of the table.

    In training, `token_dropout` replaces real ids by unknown, each by itself with that probability, so that
    unknown has a vector worth having and the layers above learn to lean on characters and context.

    Args:
        vocabulary_size: rows of the table, padding and unknown among them.
        embedding_dim: D.
        token_dropout: probability, 0 to below 1, that a real id is replaced by 1 in training.
        trainable: False keeps the table as it is.
        seed: seed of the replacement; None draws one from Keras's global random state.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_dim: int,
        token_dropout: float = 0.0,
        trainable: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, **kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.token_dropout = token_dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes the table, float (vocabulary_size, embedding_dim)."""
        self.embeddings = self.add_weight(
            shape=(self.vocabulary_size, self.embedding_dim),
            initializer=keras.initializers.RandomUniform(-0.05, 0.05, seed=self.seed),
            name="embeddings",
        )

    def set_embeddings(self, embeddings: np.ndarray) -> None:
        """Gives the table its values, say of pretrained vectors; builds the layer if need be.

        Args:
            embeddings: float (vocabulary_size, embedding_dim).

        Raises:
            SeqlabError: the shape is another.
        """
        expected = (self.vocabulary_size, self.embedding_dim)
        if np.shape(embeddings) != expected:
            raise SeqlabError(
                "the vectors do not fit the embedding table",
                where=self.name,
                expected=f"shape {expected} (vocabulary_size, embedding_dim)",
                received=f"shape {np.shape(embeddings)}",
                remedy="set embedding_dim to the vectors' size, and give one row per vocabulary entry",
            )
        if not self.built:
            self.build((None, None))
        self.embeddings.assign(embeddings)

    def call(self, token_ids: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """Int (B, T) to float (B, T, D); padding is read off the ids, not off an incoming mask."""
        real = ops.not_equal(token_ids, 0)
        if training and self.token_dropout > 0:
            draws = keras.random.uniform(ops.shape(token_ids), seed=self.seed_generator)
            dropped = ops.logical_and(real, draws < self.token_dropout)
            token_ids = ops.where(dropped, ops.cast(UNKNOWN_ID, token_ids.dtype), token_ids)
        vectors = ops.take(self.embeddings, token_ids, axis=0)
        return zero_padding(ops.cast(vectors, self.compute_dtype), real)

    def save_own_variables(self, store: Any) -> None:
        """Adds the random state to what is saved: a reloaded model draws on where the saved one stopped."""
        super().save_own_variables(store)
        store["seed_state"] = self.seed_generator.state

    def load_own_variables(self, store: Any) -> None:
        """Takes back the table and the random state."""
        self.embeddings.assign(store["0"])
        self.seed_generator.state.assign(store["seed_state"])

    def compute_mask(self, token_ids: Tensor, previous_mask: Tensor | None = None) -> Tensor:
        """Bool (B, T), True = a real token."""
        return ops.not_equal(token_ids, 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T) to (B, T, D)."""
        return (*input_shape, self.embedding_dim)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "token_dropout": self.token_dropout,
            "seed": self.seed,
        }
