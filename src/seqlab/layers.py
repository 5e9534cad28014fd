"""The layers, heads and losses, for any Keras model.

Every layer takes `mask=`, bool (B, T), True = a real token, padding on the right. Importing this module
registers all of them with Keras, so that a `.keras` file that contains them can be loaded.
"""

from seqlab.modeling.device import quiet_tensorflow

with quiet_tensorflow():
    from seqlab.modeling.characters import CharacterAttentionPooling, CharacterBiLSTM, CharacterCNN
    from seqlab.modeling.embedder import TokenFeatureEmbedder
    from seqlab.modeling.encoders.attention import SelfAttention
    from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
    from seqlab.modeling.encoders.positions import PositionEmbedding
    from seqlab.modeling.encoders.transformer import TransformerEncoder, TransformerEncoderBlock
    from seqlab.modeling.heads.crf_head import CRFHead
    from seqlab.modeling.heads.softmax_head import SoftmaxHead
    from seqlab.modeling.heads.tagging_head import TaggingHead, TaggingLoss
    from seqlab.modeling.tagger import Tagger
    from seqlab.modeling.token_embedding import ShapeOneHot, TokenEmbedding

__all__ = [
    "BiLSTMEncoder",
    "CRFHead",
    "CharacterAttentionPooling",
    "CharacterBiLSTM",
    "CharacterCNN",
    "PositionEmbedding",
    "SelfAttention",
    "ShapeOneHot",
    "SoftmaxHead",
    "Tagger",
    "TaggingHead",
    "TaggingLoss",
    "TokenEmbedding",
    "TokenFeatureEmbedder",
    "TransformerEncoder",
    "TransformerEncoderBlock",
]
