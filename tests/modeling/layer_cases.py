"""Every layer with sizes small enough to check, by name; one entry per way a layer can be set up."""

from __future__ import annotations

from functools import partial

import numpy as np
from layer_checks import (
    Inputs,
    LayerCase,
    character_id_inputs,
    feature_inputs,
    no_mask,
    token_id_inputs,
    whole_rows,
    windows,
)

from seqlab.modeling.characters.character_attention_pooling import CharacterAttentionPooling
from seqlab.modeling.characters.character_bilstm import CharacterBiLSTM
from seqlab.modeling.characters.character_cnn import CharacterCNN
from seqlab.modeling.encoders.bilstm_encoder import BiLSTMEncoder
from seqlab.modeling.encoders.convolution_block import ConvolutionBlock
from seqlab.modeling.encoders.feed_forward import FeedForward
from seqlab.modeling.encoders.residual_block import ResidualBlock
from seqlab.modeling.encoders.self_attention import SelfAttention
from seqlab.modeling.encoders.transformer_encoder import TransformerEncoder
from seqlab.modeling.encoders.transformer_encoder_block import TransformerEncoderBlock
from seqlab.modeling.layers.dense_input import DenseInput
from seqlab.modeling.layers.masked_max_pooling import MaskedMaxPooling
from seqlab.modeling.layers.masked_softmax import MaskedSoftmax
from seqlab.modeling.layers.position_embedding import PositionEmbedding
from seqlab.modeling.layers.shape_one_hot import ShapeOneHot
from seqlab.modeling.layers.time_windows import TimeSplit
from seqlab.modeling.layers.token_and_position_embedding import TokenAndPositionEmbedding
from seqlab.modeling.layers.token_embedding import TokenEmbedding

TRANSFORMER = {"num_layers": 1, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 12, "dropout": 0.1}
BLOCK = {"num_heads": 2, "intermediate_dim": 12, "dropout": 0.1, "attention_dropout": 0.1}
CHARACTERS = {"vocabulary_size": 11, "embedding_dim": 5, "dropout": 0.1}


def embedded_corpus(batch: int, length: int) -> Inputs:
    """Features that are zero at padding, and nothing else that tells."""
    inputs = feature_inputs(batch, length, dim=4)
    return Inputs(np.where(inputs.real[..., None], inputs.x, 0).astype(np.float32))


def mask_of_windows(inputs: Inputs) -> np.ndarray:
    """The mask cut into windows of three."""
    filled = -inputs.real.shape[1] % 3
    return np.pad(inputs.real, [(0, 0), (0, filled)]).reshape(-1, 3)


CASES = {
    "token_embedding": LayerCase(
        factory=partial(TokenEmbedding, vocabulary_size=11, embedding_dim=5, token_dropout=0.3),
        inputs=token_id_inputs,
    ),
    "token_and_position_embedding_learned": LayerCase(
        factory=partial(TokenAndPositionEmbedding, vocabulary_size=11, embedding_dim=5, max_length=20),
        inputs=token_id_inputs,
    ),
    "token_and_position_embedding_sinusoidal": LayerCase(
        factory=partial(TokenAndPositionEmbedding, vocabulary_size=11, embedding_dim=6, token_dropout=0.3),
        inputs=token_id_inputs,
    ),
    "character_cnn": LayerCase(
        factory=partial(CharacterCNN, filters=4, kernel_sizes=(2, 3), **CHARACTERS),
        inputs=character_id_inputs,
    ),
    "shape_one_hot": LayerCase(
        factory=partial(ShapeOneHot, vocabulary_size=11), inputs=token_id_inputs, has_gradient=False
    ),
    "self_attention": LayerCase(
        factory=partial(SelfAttention, num_heads=2, dropout=0.1), inputs=feature_inputs
    ),
    "self_attention_relative": LayerCase(
        factory=partial(SelfAttention, num_heads=2, relative_positions=True, scale_scores=False),
        inputs=feature_inputs,
    ),
    "transformer_encoder_block": LayerCase(
        factory=partial(TransformerEncoderBlock, **BLOCK), inputs=feature_inputs
    ),
    "transformer_encoder_block_norm_last": LayerCase(
        factory=partial(TransformerEncoderBlock, norm_first=False, relative_positions=True, **BLOCK),
        inputs=feature_inputs,
    ),
    "transformer_encoder_block_convolution": LayerCase(
        factory=partial(TransformerEncoderBlock, convolution_kernel_size=3, **BLOCK),
        inputs=feature_inputs,
    ),
    "convolution_block": LayerCase(
        factory=partial(ConvolutionBlock, kernel_size=4, dropout=0.1), inputs=feature_inputs
    ),
    "convolution_block_norm_last": LayerCase(
        factory=partial(ConvolutionBlock, norm_first=False), inputs=feature_inputs
    ),
    "transformer_encoder_convolution": LayerCase(
        factory=partial(TransformerEncoder, convolution_kernel_size=3, **TRANSFORMER),
        inputs=feature_inputs,
    ),
    "transformer_encoder_absolute": LayerCase(
        factory=partial(
            TransformerEncoder, positions="absolute", max_length=20, norm_first=False, **TRANSFORMER
        ),
        inputs=partial(feature_inputs, dim=5),
    ),
    "transformer_encoder_sinusoidal": LayerCase(
        factory=partial(TransformerEncoder, positions="sinusoidal", **TRANSFORMER),
        inputs=partial(feature_inputs, dim=5),
    ),
    "transformer_encoder_relative": LayerCase(
        factory=partial(TransformerEncoder, positions="relative", **TRANSFORMER),
        inputs=feature_inputs,
    ),
    "bilstm_encoder": LayerCase(
        factory=partial(BiLSTMEncoder, num_layers=1, units=3, dropout=0.1), inputs=feature_inputs
    ),
    "feed_forward": LayerCase(
        factory=partial(FeedForward, intermediate_dim=6, dropout=0.1), inputs=feature_inputs
    ),
    "residual_block": LayerCase(
        factory=partial(ResidualBlock, intermediate_dim=6, dropout=0.1), inputs=feature_inputs
    ),
    "position_embedding_learned": LayerCase(
        factory=partial(PositionEmbedding, max_length=20), inputs=feature_inputs
    ),
    "position_embedding_sinusoidal": LayerCase(factory=PositionEmbedding, inputs=feature_inputs),
    "character_attention_pooling": LayerCase(
        factory=partial(CharacterAttentionPooling, units=6, num_heads=2, **CHARACTERS),
        inputs=character_id_inputs,
    ),
    "character_bilstm": LayerCase(
        factory=partial(CharacterBiLSTM, units=3, **CHARACTERS), inputs=character_id_inputs
    ),
    "dense_input": LayerCase(factory=partial(DenseInput, mask_value=[0.0] * 4), inputs=embedded_corpus),
    "masked_softmax": LayerCase(factory=MaskedSoftmax, inputs=feature_inputs),
    "masked_max_pooling": LayerCase(
        factory=MaskedMaxPooling, inputs=feature_inputs, select=whole_rows, output_mask=no_mask
    ),
    "time_split": LayerCase(
        factory=partial(TimeSplit, window_length=3),
        inputs=feature_inputs,
        select=windows,
        output_mask=mask_of_windows,
    ),
}
