"""Export of a tagger as a SavedModel that runs with TensorFlow alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.errors import SeqlabError
from seqlab.serving.graph.string_tagger import PIECES, GraphTagger
from seqlab.serving.graph_operations import check_saved_model

SIGNATURES = ("serving_default", "tokens", "ragged", "text", "ids")


def export_saved_model(
    tagger: Any,
    directory: Path,
    *,
    encoder: FeatureEncoder,
    tags: Vocabulary,
    spans: bool,
    max_length: int,
    overlap: int,
    pieces: Mapping[str, Any] | None = None,
) -> None:
    """Write a SavedModel with the signatures of `SIGNATURES` into `directory`.

    `serving_default` takes sentences whose tokens are separated by one blank, `tokens` a matrix of tokens
    padded with "", `ragged` concatenated tokens and row lengths, `text` raw sentences, and `ids` padded ids.
    The graph contains vocabularies, character tables, tokeniser, decoding and the reading of spans. If the
    tagger has a pretrained encoder and there are no rules of its tokenizer, `ids` is the only signature.

    Args:
        tagger: the trained tagger, computing in float32.
        directory: the folder to write into; other files in it are kept.
        encoder: the vocabularies that the tagger was trained with.
        tags: the tag vocabulary.
        spans: whether the tags encode spans.
        max_length: maximum number of tokens in a window, as in evaluation.
        overlap: tokens that neighbouring windows share.
        pieces: the rules of the pretrained encoder's tokenizer, if the tagger has one; see `piece_rules`.

    Raises:
        SeqlabError: TensorFlow sees a GPU, so the graph would contain operations for GPUs; or the graph
            contains an operation that `seqlab tag` refuses.
    """
    if tf.config.get_visible_devices("GPU"):
        raise SeqlabError(
            "a graph traced while a GPU is visible may not run without one",
            where="export",
            expected="no visible GPU",
            received=", ".join(device.name for device in tf.config.get_visible_devices("GPU")),
            remedy="call seqlab.modeling.device.select_device('cpu') before any computation",
        )
    module = GraphTagger(
        tagger,
        encoder=encoder,
        tags=tags,
        spans=spans,
        max_length=max_length,
        overlap=overlap,
        pieces=pieces,
    )
    ids = [
        tf.TensorSpec([None, None], tf.int32, "token_ids"),
        tf.TensorSpec([None, None, encoder.max_token_length], tf.int32, "char_ids"),
        tf.TensorSpec([None, None], tf.int32, "shape_ids"),
    ]
    if encoder.pieces:
        ids.append(tf.TensorSpec([None, None, None], tf.int32, PIECES))
    tag_ids = tf.function(module.tag_ids, input_signature=ids, autograph=False)
    saved = module
    signatures = {"ids": tag_ids}
    if encoder.pieces and not pieces:
        saved = tf.Module()  # without the functions that take strings
        saved.weights = module.weights
    else:
        of_strings = (module.tag_sentences, module.tag_tokens, module.tag_ragged, module.tag_text)
        signatures = dict(zip(SIGNATURES, (*of_strings, tag_ids), strict=True))
    tf.saved_model.save(saved, str(directory), signatures=signatures)
    check_saved_model(directory)
