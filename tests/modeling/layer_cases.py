"""Every layer in a small size, by name. A new layer needs one entry here."""

from __future__ import annotations

from functools import partial

from layer_checks import LayerCase, character_id_inputs, feature_inputs, token_id_inputs

from seqlab.modeling.characters import CharacterAttentionPooling, CharacterBiLSTM, CharacterCNN
from seqlab.modeling.encoders.attention import SelfAttention
from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.encoders.positions import PositionEmbedding
from seqlab.modeling.encoders.transformer import (
    ConvolutionBlock,
    FeedForwardBlock,
    TransformerEncoder,
    TransformerEncoderBlock,
)
from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.token_embedding import ShapeOneHot, TokenEmbedding

TRANSFORMER = {"num_layers": 1, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 12, "dropout": 0.1}
BLOCK = {"num_heads": 2, "intermediate_dim": 12, "dropout": 0.1, "attention_dropout": 0.1}
CHARACTERS = {"vocabulary_size": 11, "embedding_dim": 5}
# <pad>, <unk>, O, B, I: I neither starts a sentence nor follows O.
CONSTRAINTS = {
    "num_tags": 5,
    "start_allowed": [True, True, True, True, False],
    "transitions_allowed": [[True] * 5, [True] * 5, [True] * 4 + [False], [True] * 5, [True] * 5],
}


def case(layer, *, inputs=feature_inputs, **arguments) -> LayerCase:
    return LayerCase(factory=partial(layer, **arguments), inputs=inputs)


CASES = {
    "token_embedding": case(
        TokenEmbedding, inputs=token_id_inputs, vocabulary_size=11, embedding_dim=5, token_dropout=0.3
    ),
    "shape_one_hot": LayerCase(
        factory=partial(ShapeOneHot, vocabulary_size=11), inputs=token_id_inputs, has_gradient=False
    ),
    "character_cnn": case(
        CharacterCNN, inputs=character_id_inputs, filters=4, kernel_sizes=(2, 3), **CHARACTERS
    ),
    "character_attention_pooling": case(
        CharacterAttentionPooling, inputs=character_id_inputs, units=8, **CHARACTERS
    ),
    "character_bilstm": case(CharacterBiLSTM, inputs=character_id_inputs, units=3, **CHARACTERS),
    "position_embedding_learned": case(PositionEmbedding, max_length=20),
    "position_embedding_sinusoidal": case(PositionEmbedding),
    "self_attention": case(SelfAttention, num_heads=2, dropout=0.1),
    "self_attention_relative": case(SelfAttention, num_heads=2, relative_positions=True),
    "convolution_block": case(ConvolutionBlock, kernel_size=4, dropout=0.1),
    "feed_forward_block": case(FeedForwardBlock, intermediate_dim=6, dropout=0.1),
    "transformer_encoder_block": case(TransformerEncoderBlock, convolution_kernel_size=3, **BLOCK),
    "transformer_encoder_relative": case(TransformerEncoder, convolution_kernel_size=3, **TRANSFORMER),
    "transformer_encoder_absolute": case(
        TransformerEncoder,
        inputs=partial(feature_inputs, dim=5),
        positions="absolute",
        max_length=20,
        **TRANSFORMER,
    ),
    "bilstm_encoder": case(BiLSTMEncoder, num_layers=1, units=3, dropout=0.1),
    "softmax_head": LayerCase(
        factory=partial(SoftmaxHead, num_tags=5, label_smoothing=0.1),
        inputs=feature_inputs,
        zero_at_padding=False,
    ),
    # Calling a CRF does not use its transitions; heads/test_tagging_head.py checks the gradients of its loss.
    "crf_head": LayerCase(
        factory=partial(CRFHead, **CONSTRAINTS),
        inputs=feature_inputs,
        zero_at_padding=False,
        has_gradient=False,
    ),
}
