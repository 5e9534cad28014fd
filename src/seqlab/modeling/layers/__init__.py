"""Mask-aware Keras layers: bool masks (B, T), True = a real token, and padding that comes out zero."""

from seqlab.modeling.layers.bilstm_encoder import BiLSTMEncoder
from seqlab.modeling.layers.character_attention_pooling import CharacterAttentionPooling
from seqlab.modeling.layers.character_bilstm import CharacterBiLSTM
from seqlab.modeling.layers.character_cnn import CharacterCNN
from seqlab.modeling.layers.character_encoder import CharacterEncoder
from seqlab.modeling.layers.convolution_block import ConvolutionBlock
from seqlab.modeling.layers.dense_input import DenseInput
from seqlab.modeling.layers.feed_forward import FeedForward
from seqlab.modeling.layers.masked_max_pooling import MaskedMaxPooling
from seqlab.modeling.layers.masked_softmax import MaskedSoftmax
from seqlab.modeling.layers.position_embedding import PositionEmbedding
from seqlab.modeling.layers.residual_block import ResidualBlock
from seqlab.modeling.layers.self_attention import SelfAttention
from seqlab.modeling.layers.shape_one_hot import ShapeOneHot
from seqlab.modeling.layers.time_windows import TimeJoin, TimeSplit
from seqlab.modeling.layers.token_and_position_embedding import TokenAndPositionEmbedding
from seqlab.modeling.layers.token_embedding import TokenEmbedding
from seqlab.modeling.layers.transformer_encoder import TransformerEncoder
from seqlab.modeling.layers.transformer_encoder_block import TransformerEncoderBlock

__all__ = [
    "BiLSTMEncoder",
    "CharacterAttentionPooling",
    "CharacterBiLSTM",
    "CharacterCNN",
    "CharacterEncoder",
    "ConvolutionBlock",
    "DenseInput",
    "FeedForward",
    "MaskedMaxPooling",
    "MaskedSoftmax",
    "PositionEmbedding",
    "ResidualBlock",
    "SelfAttention",
    "ShapeOneHot",
    "TimeJoin",
    "TimeSplit",
    "TokenAndPositionEmbedding",
    "TokenEmbedding",
    "TransformerEncoder",
    "TransformerEncoderBlock",
]
