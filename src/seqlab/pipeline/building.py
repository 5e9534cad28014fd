"""A tagger from a task's parameters and its vocabularies."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.errors import SeqlabError
from seqlab.modeling.embedder import TokenFeatureEmbedder
from seqlab.modeling.pretrained import backbone_settings
from seqlab.modeling.tagger import ENCODERS, HEADS, Tagger, smallest_batch
from seqlab.params import EmbedderParams, EncoderParams, HeadParams, TaskParams
from seqlab.tags import transition_constraints


def build_tagger(
    task: TaskParams,
    *,
    encoder: FeatureEncoder,
    tags: Vocabulary,
    vectors: np.ndarray | None = None,
    backbone: keras.Model | None = None,
) -> Tagger:
    """Build a tagger with weights, not yet compiled, in the task's mixed-precision policy.

    Args:
        task: the task's section of the parameters.
        encoder: the vocabularies of tokens, characters and shapes.
        tags: the tag vocabulary.
        vectors: initial token embeddings, float32 (vocabulary, D), NaN for tokens without a vector.
        backbone: the pretrained encoder, if there is one.

    Raises:
        SeqlabError: the vectors have another dimension than the token embedding.
    """
    keras.config.set_dtype_policy(task.training.mixed_precision)
    try:
        tagger = Tagger(
            name="tagger",
            embedder=_build_embedder(task.embedder, encoder, backbone),
            encoder=_build_encoder(task.encoder, max_length=task.training.window_length),
            head=_build_head(task.head, tags=tags, tag_scheme=task.tag_scheme),
        )
    finally:
        keras.config.set_dtype_policy("float32")
    tagger(smallest_batch(max_token_length=encoder.max_token_length))
    if backbone is not None:
        tagger.embedder.pretrained_encoder.load_backbone(backbone)
    if vectors is not None:
        _set_vectors(tagger, vectors, task.embedder)
    return tagger


def _build_embedder(
    params: EmbedderParams, encoder: FeatureEncoder, backbone: keras.Model | None
) -> keras.layers.Layer:
    pretrained = None
    if backbone is not None:
        chosen = params.pretrained.model_dump(include={"pooling", "layers", "trained"})
        pretrained = backbone_settings(backbone) | chosen
    return TokenFeatureEmbedder(
        token_vocabulary_size=len(encoder.tokens),
        token_embedding_dim=params.token_embedding_dim,
        token_dropout=params.token_dropout,
        token_trainable=params.vectors_trainable,
        characters=params.characters,
        character_vocabulary_size=len(encoder.characters),
        character_embedding_dim=params.character_embedding_dim,
        character_filters=params.character_filters,
        character_kernel_sizes=params.character_kernel_sizes,
        shape_vocabulary_size=len(encoder.shapes) if params.shape else 0,
        dropout=params.dropout,
        pretrained=pretrained,
        name="embedder",
    )


def _build_encoder(params: EncoderParams, *, max_length: int) -> keras.layers.Layer:
    layer = ENCODERS[params.type]
    settings: dict[str, Any] = params.model_dump(exclude={"type"})
    if "max_length" in inspect.signature(layer).parameters:  # size of a table of learned positions
        settings["max_length"] = max_length
    return layer(**settings, name="encoder")


def _build_head(params: HeadParams, *, tags: Vocabulary, tag_scheme: str | None) -> keras.layers.Layer:
    settings: dict[str, Any] = {"num_tags": len(tags), "name": "head"}
    if tag_scheme is not None:  # without spans, any tag may follow any other
        allowed = transition_constraints(tags.entries, scheme=tag_scheme)
        settings |= {
            "start_allowed": allowed.start,
            "end_allowed": allowed.end,
            "transitions_allowed": allowed.transitions,
        }
    if params.type == "softmax":
        settings["label_smoothing"] = params.label_smoothing
    return HEADS[params.type](**settings)


def _set_vectors(tagger: Tagger, vectors: np.ndarray, params: EmbedderParams) -> None:
    if vectors.shape[1] != params.token_embedding_dim:
        raise SeqlabError(
            "the word vectors do not fit the token embedding",
            where="embedder.token_embedding_dim",
            expected=str(vectors.shape[1]),
            received=str(params.token_embedding_dim),
            remedy="set token_embedding_dim to the dimension of the vectors",
        )
    embedding = tagger.embedder.token_embedding
    start = np.asarray(embedding.get_weights()[0])
    embedding.set_embeddings(np.where(np.isnan(vectors), start, vectors))
