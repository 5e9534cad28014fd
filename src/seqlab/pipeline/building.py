"""A tagger from a task's parameters and its vocabularies."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.errors import SeqlabError
from seqlab.modeling.embedder import TokenFeatureEmbedder
from seqlab.modeling.encoders.bilstm_encoder import BiLSTMEncoder
from seqlab.modeling.encoders.transformer_encoder import TransformerEncoder
from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.tagger import Tagger
from seqlab.params import BiLSTMParams, EmbedderParams, HeadParams, TaskParams, TransformerParams
from seqlab.tags import transition_constraints


def build_tagger(
    task: TaskParams, *, encoder: FeatureEncoder, tags: Vocabulary, vectors: np.ndarray | None = None
) -> Tagger:
    """A tagger with weights, not yet compiled, in the task's mixed-precision policy.

    Args:
        task: the task's section of the parameters.
        encoder: the vocabularies of tokens, characters and shapes.
        tags: the tag vocabulary.
        vectors: initial token embeddings, float32 (vocabulary, D), NaN where there is none.
    """
    keras.config.set_dtype_policy(task.training.mixed_precision)
    try:
        tagger = Tagger(
            name="tagger",
            embedder=_build_embedder(task.embedder, encoder),
            encoder=_build_encoder(task.encoder, max_length=task.training.bucket_boundaries[-1]),
            head=_build_head(task.head, tags=tags, tag_scheme=task.tag_scheme),
        )
    finally:
        keras.config.set_dtype_policy("float32")
    ids = np.ones((1, task.training.bucket_boundaries[0]), np.int32)
    characters = np.ones((*ids.shape, encoder.max_token_length), np.int32)
    tagger({"token_ids": ids, "char_ids": characters, "shape_ids": ids})
    if vectors is not None:
        _set_vectors(tagger, vectors, task.embedder)
    return tagger


def _build_embedder(params: EmbedderParams, encoder: FeatureEncoder) -> keras.layers.Layer:
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
        name="embedder",
    )


def _build_encoder(params: TransformerParams | BiLSTMParams, *, max_length: int) -> keras.layers.Layer:
    settings: dict[str, Any] = params.model_dump(exclude={"type"})
    if isinstance(params, TransformerParams):
        return TransformerEncoder(**settings, max_length=max_length, name="encoder")
    return BiLSTMEncoder(**settings, name="encoder")


def _build_head(params: HeadParams, *, tags: Vocabulary, tag_scheme: str | None) -> keras.layers.Layer:
    settings: dict[str, Any] = {"num_tags": len(tags), "name": "head"}
    if tag_scheme is not None:  # without spans every tag may follow every other, and decoding is an argmax
        allowed = transition_constraints(tags.entries, scheme=tag_scheme)
        settings |= {
            "start_allowed": allowed.start,
            "end_allowed": allowed.end,
            "transitions_allowed": allowed.transitions,
        }
    if params.type == "crf":
        return CRFHead(**settings)
    return SoftmaxHead(**settings, label_smoothing=params.label_smoothing)


def _set_vectors(tagger: Tagger, vectors: np.ndarray, params: EmbedderParams) -> None:
    if vectors.shape[1] != params.token_embedding_dim:
        raise SeqlabError(
            "the word vectors do not fit the token embedding",
            where="embedder.token_embedding_dim",
            expected=str(vectors.shape[1]),
            received=str(params.token_embedding_dim),
            remedy="set token_embedding_dim to the vectors' dimension",
        )
    embedding = tagger.embedder.token_embedding
    start = np.asarray(embedding.get_weights()[0])
    embedding.set_embeddings(np.where(np.isnan(vectors), start, vectors))
