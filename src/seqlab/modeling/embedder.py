"""What is known of a token before its neighbours are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from seqlab.modeling.characters.character_attention_pooling import CharacterAttentionPooling
from seqlab.modeling.characters.character_bilstm import CharacterBiLSTM
from seqlab.modeling.characters.character_cnn import CharacterCNN
from seqlab.modeling.layers.shape_one_hot import ShapeOneHot
from seqlab.modeling.layers.token_embedding import TokenEmbedding


@keras.saving.register_keras_serializable(package="seqlab")
class TokenFeatureEmbedder(keras.layers.Layer):
    """Token embedding, characters and word shape, side by side.

    Takes features as the batch contract names them and the mask, bool (B, T), True = a real token; gives
    float (B, T, D), zeros at padding, and passes the mask on.

    Args:
        token_vocabulary_size: entries of the token vocabulary, the two reserved ones included.
        token_embedding_dim: width of the token embedding.
        token_dropout: share of tokens that are shown as unknown in training.
        token_trainable: False freezes the token embedding.
        characters: `cnn`, `attention`, `bilstm` or `none`.
        character_vocabulary_size: entries of the character vocabulary.
        character_embedding_dim: width of a character's embedding.
        character_filters: filters per kernel size (cnn), or output units.
        character_kernel_sizes: widths of the kernels in characters (cnn).
        shape_vocabulary_size: entries of the shape vocabulary; 0 leaves word shape out.
        dropout: share of features dropped in training.
    """

    def __init__(
        self,
        *,
        token_vocabulary_size: int,
        token_embedding_dim: int,
        token_dropout: float = 0.0,
        token_trainable: bool = True,
        characters: str = "cnn",
        character_vocabulary_size: int = 2,
        character_embedding_dim: int = 32,
        character_filters: int = 64,
        character_kernel_sizes: Sequence[int] = (3,),
        shape_vocabulary_size: int = 0,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.token_vocabulary_size = token_vocabulary_size
        self.token_embedding_dim = token_embedding_dim
        self.token_dropout = token_dropout
        self.token_trainable = token_trainable
        self.characters = characters
        self.character_vocabulary_size = character_vocabulary_size
        self.character_embedding_dim = character_embedding_dim
        self.character_filters = character_filters
        self.character_kernel_sizes = list(character_kernel_sizes)
        self.shape_vocabulary_size = shape_vocabulary_size
        self.dropout = dropout
        self.token_embedding = TokenEmbedding(
            vocabulary_size=token_vocabulary_size,
            embedding_dim=token_embedding_dim,
            token_dropout=token_dropout,
            trainable=token_trainable,
            dtype=self.dtype_policy,
        )
        self.character_encoder = self._character_encoder()
        self.shape_one_hot = (
            ShapeOneHot(vocabulary_size=shape_vocabulary_size, dtype=self.dtype_policy)
            if shape_vocabulary_size
            else None
        )
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def _character_encoder(self) -> keras.layers.Layer | None:
        shared: dict[str, Any] = {
            "vocabulary_size": self.character_vocabulary_size,
            "embedding_dim": self.character_embedding_dim,
            "dtype": self.dtype_policy,
        }
        if self.characters == "cnn":
            return CharacterCNN(
                filters=self.character_filters, kernel_sizes=self.character_kernel_sizes, **shared
            )
        if self.characters == "attention":
            return CharacterAttentionPooling(units=self.character_filters, **shared)
        if self.characters == "bilstm":
            return CharacterBiLSTM(units=self.character_filters // 2, **shared)
        if self.characters == "none":
            return None
        raise ValueError(f"characters must be cnn, attention, bilstm or none, received {self.characters!r}")

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Build the parts for the features' shapes, (B, T) or (B, T, C)."""
        self.token_embedding.build(input_shape["token_ids"])
        if self.character_encoder is not None:
            self.character_encoder.build(input_shape["char_ids"])
        if self.shape_one_hot is not None:
            self.shape_one_hot.build(input_shape["shape_ids"])

    def compute_output_shape(self, input_shape: dict[str, tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """Shapes of the features to (B, T, D)."""
        width = self.token_embedding_dim + self.shape_vocabulary_size
        if self.character_encoder is not None:
            width += self.character_encoder.output_dim
        return (*input_shape["token_ids"], width)

    def call(self, features: dict[str, Any], mask: Any = None, training: bool | None = None) -> Any:
        """Features, int32, to float (B, T, D)."""
        parts = [self.token_embedding(features["token_ids"], training=training)]
        if self.character_encoder is not None:
            parts.append(self.character_encoder(features["char_ids"], training=training))
        if self.shape_one_hot is not None:
            parts.append(self.shape_one_hot(features["shape_ids"]))
        x = self.dropout_layer(ops.concatenate(parts, axis=-1), training=training)
        return x * ops.cast(self.compute_mask(features, mask), x.dtype)[..., None]

    def compute_mask(self, features: dict[str, Any], mask: Any = None) -> Any:
        """The mask that came in, or `token_ids != 0`."""
        # Where none is given, Keras gives one for each feature, all of them None.
        given = mask is not None and not isinstance(mask, Mapping)
        return mask if given else ops.not_equal(features["token_ids"], 0)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        names = (
            "token_vocabulary_size",
            "token_embedding_dim",
            "token_dropout",
            "token_trainable",
            "characters",
            "character_vocabulary_size",
            "character_embedding_dim",
            "character_filters",
            "character_kernel_sizes",
            "shape_vocabulary_size",
            "dropout",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
