"""The files of `seqlab tag` in an export: the two halves of the tagger as ONNX, known types and rules."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from seqlab.atomic import write_json
from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.modeling.tagger import Tagger
from seqlab.serving.onnx.onnx_parts import export_embedder, export_encoder
from seqlab.serving.tagger_rules import tagger_rules
from seqlab.serving.tagging.onnx_tagger import PARTS
from seqlab.tags import NUM_RESERVED

KNOWN_TYPES_BYTES = 16 << 20
"""Maximum size of the vectors of known types in an export."""


def export_tagging(
    tagger: Tagger,
    directory: Path,
    *,
    encoder: FeatureEncoder,
    tags: Vocabulary,
    spans: bool,
    max_length: int,
    overlap: int,
    pieces: Mapping[str, Any] | None = None,
) -> None:
    """Write `tagger.json` and the folder `onnx/`, which `OnnxTagger` reads.

    Args:
        tagger: the trained tagger, computing in float32.
        directory: the folder of the export.
        encoder: the vocabularies that the tagger was trained with.
        tags: the tag vocabulary.
        spans: whether the tags encode spans.
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share.
        pieces: the rules of the pretrained encoder's tokenizer, if the tagger has one; see `piece_rules`.

    Raises:
        UnsupportedLayerError: the tagger has a layer that cannot be written as ONNX.
    """
    parts = directory / PARTS
    parts.mkdir()
    export_embedder(tagger, parts / "embedder.onnx", max_token_length=encoder.max_token_length)
    export_encoder(tagger, parts / "encoder.onnx")
    _quantize(parts / "encoder.onnx", parts / "encoder.int8.onnx")
    rules = tagger_rules(
        tagger.head,
        encoder=encoder,
        tags=tags,
        spans=spans,
        max_length=max_length,
        overlap=overlap,
        pieces=pieces,
    )
    write_json(directory / "tagger.json", rules)
    session = onnxruntime.InferenceSession(str(parts / "embedder.onnx"), providers=["CPUExecutionProvider"])
    dimension = session.get_outputs()[0].shape[1]
    types = list(islice(frequent_types(encoder), KNOWN_TYPES_BYTES // (4 * dimension)))
    features = encoder.encode_types(types)
    (vectors,) = session.run(None, {name: ids[1:] for name, ids in features.items()})
    np.save(parts / "known_types.npy", vectors)
    (parts / "known_types.json").write_text(json.dumps(types, ensure_ascii=False), encoding="utf-8")


def frequent_types(encoder: FeatureEncoder) -> list[str]:
    """Return the entries of the token vocabulary, the most frequent first, as they stand and capitalised."""
    types: dict[str, None] = {}
    for entry in encoder.tokens.entries[NUM_RESERVED:]:
        types[entry] = None
        if encoder.lowercase:
            types[entry[0].upper() + entry[1:]] = None
    return list(types)


def _quantize(source: Path, target: Path) -> None:
    """Write the weights of matrix products as int8; their inputs are quantised while they are computed."""
    with _without_warnings():
        quantize_dynamic(
            str(source),
            str(target),
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul"],
            extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True},
        )


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Hide ONNX Runtime's advice to pre-process the graph, which nobody who runs the stage can follow."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
