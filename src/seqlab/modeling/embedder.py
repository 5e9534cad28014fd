"""The embedder: token vectors from a token's id, characters and shape, and from a pretrained encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from seqlab.modeling.characters import CharacterAttentionPooling, CharacterBiLSTM, CharacterCNN
from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.layers import Dropout
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_finite_padding
from seqlab.modeling.pretrained import PretrainedEmbedding
from seqlab.modeling.token_embedding import ShapeOneHot, TokenEmbedding
from seqlab.tags import PADDING_ID


@keras.saving.register_keras_serializable(package="seqlab")
class TokenFeatureEmbedder(ConfiguredLayer):
    """Concatenates the token embedding, the characters, the one-hot word shape and the pretrained encoder.

    Each of them can be left out.

    Shapes: the features of the batch contract, int (B, T) or (B, T, C) -> float (B, T, D). If there are
    `char_rows` (B, T), `char_ids` (U, C1) and, if present, `long_char_ids` (L, C2) contain the characters of
    the distinct types, which are then encoded once each.

    Mask: bool (B, T), True = a real token; passed on unchanged, and computed as `token_ids != 0` if none is
    given. Padding gets zeros.

    Args:
        token_vocabulary_size: entries of the token vocabulary, including the reserved ones.
        token_embedding_dim: dimension of the token embedding; 0 leaves it out.
        token_dropout: share of tokens that are replaced by unknown in training.
        token_frozen_size: the number of last token ids whose vectors are never trained; see `TokenEmbedding`.
        token_trainable: False freezes the token embedding.
        characters: `cnn`, `attention`, `bilstm` or `none`.
        character_vocabulary_size: entries of the character vocabulary.
        character_embedding_dim: dimension of a character's embedding.
        character_filters: filters per kernel size (cnn), or output units (attention, bilstm).
        character_kernel_sizes: kernel sizes in characters (cnn).
        shape_vocabulary_size: entries of the shape vocabulary; 0 leaves word shape out.
        dropout: share of features dropped in training.
        pretrained: arguments of `PretrainedEmbedding`, or None.
    """

    def __init__(
        self,
        *,
        token_vocabulary_size: int,
        token_embedding_dim: int,
        token_dropout: float = 0.0,
        token_frozen_size: int = 0,
        token_trainable: bool = True,
        characters: str = "cnn",
        character_vocabulary_size: int = 2,
        character_embedding_dim: int = 32,
        character_filters: int = 64,
        character_kernel_sizes: Sequence[int] = (3,),
        shape_vocabulary_size: int = 0,
        dropout: float = 0.0,
        pretrained: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.token_vocabulary_size = token_vocabulary_size
        self.token_embedding_dim = token_embedding_dim
        self.token_dropout = token_dropout
        self.token_frozen_size = token_frozen_size
        self.token_trainable = token_trainable
        self.characters = characters
        self.character_vocabulary_size = character_vocabulary_size
        self.character_embedding_dim = character_embedding_dim
        self.character_filters = character_filters
        self.character_kernel_sizes = list(character_kernel_sizes)
        self.shape_vocabulary_size = shape_vocabulary_size
        self.dropout = dropout
        self.pretrained = pretrained
        options: dict[str, Any] = {"dtype": self.dtype_policy}
        self.token_embedding: Any = None
        if token_embedding_dim:
            self.token_embedding = TokenEmbedding(
                vocabulary_size=token_vocabulary_size,
                embedding_dim=token_embedding_dim,
                token_dropout=token_dropout,
                frozen_size=token_frozen_size,
                trainable=token_trainable,
                **options,
            )
        self.character_encoder = self._character_encoder(
            vocabulary_size=character_vocabulary_size, embedding_dim=character_embedding_dim, **options
        )
        self.shape_one_hot = None
        if shape_vocabulary_size:
            self.shape_one_hot = ShapeOneHot(vocabulary_size=shape_vocabulary_size, **options)
        self.pretrained_encoder = None
        if pretrained:
            self.pretrained_encoder = PretrainedEmbedding(**pretrained, name="pretrained", **options)
        self.dropout_layer = Dropout(dropout, **options)

    def _character_encoder(self, **options: Any) -> keras.layers.Layer | None:
        filters = self.character_filters
        if self.characters == "cnn":
            return CharacterCNN(filters=filters, kernel_sizes=self.character_kernel_sizes, **options)
        if self.characters == "attention":
            return CharacterAttentionPooling(units=filters, **options)
        if self.characters == "bilstm":
            return CharacterBiLSTM(units=filters // 2, **options)
        if self.characters == "none":
            return None
        raise ValueError(f"characters must be cnn, attention, bilstm or none, received {self.characters!r}")

    def build(self, input_shape: dict[str, Shape]) -> None:
        if self.token_embedding is not None:
            self.token_embedding.build(input_shape["token_ids"])
        if self.character_encoder is not None:
            self.character_encoder.build(input_shape["char_ids"])
        if self.shape_one_hot is not None:
            self.shape_one_hot.build(input_shape["shape_ids"])
        if self.pretrained_encoder is not None:
            self.pretrained_encoder.build(input_shape)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        character_dim = 0 if self.character_encoder is None else self.character_encoder.output_dim
        pretrained_dim = 0 if self.pretrained_encoder is None else self.pretrained_encoder.output_dim
        dim = self.token_embedding_dim + character_dim + self.shape_vocabulary_size + pretrained_dim
        return (*input_shape["token_ids"], dim)

    def call(self, features: dict[str, Tensor], mask: Any = None, training: bool | None = None) -> Tensor:
        mask = self.compute_mask(features, mask)
        parts = self.embed_types(features, training=training)
        if self.pretrained_encoder is not None:
            parts.append(self.pretrained_encoder(features, training=training))
        x = self.dropout_layer(ops.concatenate(parts, axis=-1), training=training)
        return zero_finite_padding(x, mask)

    def embed_types(self, features: dict[str, Tensor], *, training: bool | None = None) -> list[Tensor]:
        """Return the parts of the output that depend on a token alone, float (B, T, ...) each, in order."""
        parts: list[Tensor] = []
        if self.token_embedding is not None:
            parts.append(self.token_embedding(features["token_ids"], training=training))
        if self.character_encoder is not None:
            parts.append(self._encode_characters(features, training))
        if self.shape_one_hot is not None:
            parts.append(self.shape_one_hot(features["shape_ids"]))
        return parts

    def _encode_characters(self, features: dict[str, Tensor], training: bool | None) -> Tensor:
        assert self.character_encoder is not None
        if "char_rows" not in features:
            return self.character_encoder(features["char_ids"], training=training)
        by_type = [
            self.character_encoder(features[name][None], training=training)[0]
            for name in ("char_ids", "long_char_ids")
            if name in features
        ]
        return ops.take(ops.concatenate(by_type, axis=0), features["char_rows"], axis=0)

    def compute_mask(self, features: dict[str, Tensor], mask: Any = None) -> Tensor:
        # Without a mask, Keras passes a dict with None for each feature.
        if mask is None or isinstance(mask, Mapping):
            return ops.not_equal(features["token_ids"], PADDING_ID)
        return mask
