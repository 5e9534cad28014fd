"""Export of a tagger as a SavedModel that runs with TensorFlow alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.errors import SeqlabError
from seqlab.serving.graph.string_tagger import GraphTagger

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
) -> None:
    """Write a SavedModel with the signatures of `SIGNATURES` into `directory`.

    `serving_default` takes sentences whose tokens are joined by one blank, `tokens` a matrix of tokens
    padded with "", `ragged` flat tokens and row lengths, `text` raw sentences, and `ids` the batch
    contract's ids. Vocabularies, character tables, tokeniser, decoding and span reading are in the graph.

    Args:
        tagger: the trained tagger, computing in float32.
        directory: where to write; other files in it stay.
        encoder: the vocabularies the tagger was trained with.
        tags: the tag vocabulary.
        spans: whether its tags spell spans.
        max_length: tokens from which on a sentence is cut into windows, as evaluation cuts it.
        overlap: tokens that neighbouring windows share.

    Raises:
        SeqlabError: TensorFlow sees a GPU, whose operations the graph would then hold.
    """
    if tf.config.get_visible_devices("GPU"):
        raise SeqlabError(
            "a graph made where a GPU is visible may not run without one",
            where="export",
            expected="no visible GPU",
            received=", ".join(device.name for device in tf.config.get_visible_devices("GPU")),
            remedy="call seqlab.modeling.device.select_device('cpu') before anything is computed",
        )
    module = GraphTagger(
        tagger, encoder=encoder, tags=tags, spans=spans, max_length=max_length, overlap=overlap
    )

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32, "token_ids"),
            tf.TensorSpec([None, None, encoder.max_token_length], tf.int32, "char_ids"),
            tf.TensorSpec([None, None], tf.int32, "shape_ids"),
        ]
    )
    def ids(token_ids: Any, char_ids: Any, shape_ids: Any) -> dict[str, Any]:
        return module.tag_ids(token_ids, char_ids, shape_ids)

    signatures = (module.tag_sentences, module.tag_tokens, module.tag_ragged, module.tag_text, ids)
    tf.saved_model.save(module, str(directory), signatures=dict(zip(SIGNATURES, signatures, strict=True)))
