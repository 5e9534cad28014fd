"""Token ids to vectors, and word shape as one-hot features."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_finite_padding
from seqlab.tags import PADDING_ID, UNKNOWN_ID

FROZEN_EMBEDDINGS = "frozen_embeddings"
"""Name of the weights that are the same before, during and after a training."""


@keras.saving.register_keras_serializable(package="seqlab")
class TokenEmbedding(ConfiguredLayer):
    """Token embedding with token dropout. It computes the mask that later layers use.

    Shapes: int (B, T) -> float (B, T, D). Id 0 is padding and id 1 is unknown.

    Mask: computed here, bool (B, T), `token_ids != 0`, True = a real token. Padding gets the zero vector,
    whatever row 0 of the table contains.

    In training, `token_dropout` replaces each real id by the unknown id with that probability. This trains
    the vector of unknown tokens, and makes later layers use characters and context.

    Args:
        vocabulary_size: rows of both tables, including padding and unknown.
        embedding_dim: D.
        token_dropout: probability, at least 0 and below 1, that a real id is replaced in training.
        frozen_size: the number of ids at the end whose vectors are in a second table, which is never trained
            and has no optimizer state: word vectors of tokens that do not occur in train.
        trainable: False freezes the first table, too.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_dim: int,
        token_dropout: float = 0.0,
        frozen_size: int = 0,
        trainable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, **kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.token_dropout = token_dropout
        self.frozen_size = frozen_size
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: Shape) -> None:
        self.embeddings = self.add_weight(
            shape=(self.vocabulary_size - self.frozen_size, self.embedding_dim),
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
            name="embeddings",
        )
        if self.frozen_size:
            self.frozen_embeddings = self.add_weight(
                shape=(self.frozen_size, self.embedding_dim),
                initializer="zeros",
                trainable=False,
                name=FROZEN_EMBEDDINGS,
            )

    def set_embeddings(self, embeddings: np.ndarray, frozen: np.ndarray | None = None) -> None:
        """Set the tables, for instance to pretrained vectors; builds the layer if necessary.

        Args:
            embeddings: float (vocabulary_size - frozen_size, embedding_dim).
            frozen: float (frozen_size, embedding_dim); None leaves this table as it is.

        Raises:
            SeqlabError: a shape is different.
        """
        size = self.vocabulary_size - self.frozen_size
        for values, rows in ((embeddings, size), (frozen, self.frozen_size)):
            if values is not None and np.shape(values) != (rows, self.embedding_dim):
                raise SeqlabError(
                    "the vectors do not fit the embedding table",
                    where=self.name,
                    expected=f"shape {(rows, self.embedding_dim)} (vocabulary entries, embedding_dim)",
                    received=f"shape {np.shape(values)}",
                    remedy="set embedding_dim to the dimension of the vectors, with one row per entry",
                )
        if not self.built:
            self.build((None, None))
        self.embeddings.assign(embeddings)
        if frozen is not None and self.frozen_size:
            self.frozen_embeddings.assign(frozen)

    def table(self) -> np.ndarray:
        """Return the vectors of all ids, float32 (vocabulary_size, embedding_dim)."""
        tables = [self.embeddings, *([self.frozen_embeddings] if self.frozen_size else [])]
        return np.concatenate([np.asarray(table, np.float32) for table in tables])

    def call(self, token_ids: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        real = ops.not_equal(token_ids, PADDING_ID)
        if training and self.token_dropout > 0:
            draws = keras.random.uniform(ops.shape(token_ids), seed=self.seed_generator)
            dropped = ops.logical_and(real, draws < self.token_dropout)
            token_ids = ops.where(dropped, ops.cast(UNKNOWN_ID, token_ids.dtype), token_ids)
        vectors = self._look_up(token_ids)
        return zero_finite_padding(ops.cast(vectors, self.compute_dtype), real)

    def _look_up(self, token_ids: Tensor) -> Tensor:
        if not self.frozen_size:
            return ops.take(self.embeddings, token_ids, axis=0)
        place = token_ids - (self.vocabulary_size - self.frozen_size)
        is_frozen = place >= 0
        trained = ops.take(self.embeddings, ops.where(is_frozen, PADDING_ID, token_ids), axis=0)
        frozen = ops.take(self.frozen_embeddings, ops.maximum(place, 0), axis=0)
        return ops.where(ops.expand_dims(is_frozen, -1), frozen, trained)

    def compute_mask(self, token_ids: Tensor, previous_mask: Tensor | None = None) -> Tensor:
        return ops.not_equal(token_ids, PADDING_ID)

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        store["seed_state"] = self.seed_generator.state

    def load_own_variables(self, store: Any) -> None:
        self.embeddings.assign(store["0"])
        if self.frozen_size:
            self.frozen_embeddings.assign(store["1"])
        self.seed_generator.state.assign(store["seed_state"])


@keras.saving.register_keras_serializable(package="seqlab")
class ShapeOneHot(ConfiguredLayer):
    """One-hot encoding of each token's shape (`Xx`, `dd`, `XXX`). It has no weights.

    Shapes: int (B, T) -> float (B, T, vocabulary_size). Id 0 is padding and id 1 is unknown.

    Mask: computed here, bool (B, T), `shape_ids != 0`, True = a real token. Padding gets zeros.

    Args:
        vocabulary_size: number of shapes, including padding and unknown.
    """

    def __init__(self, *, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size

    def call(self, shape_ids: Tensor, mask: Tensor | None = None) -> Tensor:
        one_hot = ops.one_hot(shape_ids, self.vocabulary_size, dtype=self.compute_dtype)
        return zero_finite_padding(one_hot, self.compute_mask(shape_ids))

    def compute_mask(self, shape_ids: Tensor, previous_mask: Tensor | None = None) -> Tensor:
        return ops.not_equal(shape_ids, PADDING_ID)
