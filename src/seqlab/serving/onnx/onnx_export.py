"""Export of a tagger as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from seqlab.modeling.tagger import Tagger
from seqlab.serving.onnx.onnx_graph import OnnxGraph
from seqlab.serving.onnx.onnx_heads import tag
from seqlab.serving.onnx.onnx_layers import embed, encode


def export_onnx(
    tagger: Tagger, path: Path, *, max_token_length: int, metadata: dict[str, str] | None = None
) -> None:
    """Write the tagger as ONNX: ids in, tag ids out.

    Inputs `token_ids` int32 (batch, length), `char_ids` int32 (batch, length, C), `shape_ids` int32 (batch,
    length), right-padded with 0. Outputs `tag_ids` int32, `probabilities` float32 and `mask` bool, all
    (batch, length), 0 at padding. Recurrent layers are ONNX's own LSTM, decoding is in the graph.

    Args:
        tagger: the trained tagger, computing in float32.
        path: the file to write.
        max_token_length: C.
        metadata: facts kept in the file.

    Raises:
        SeqlabError: the tagger has a layer that cannot be written as ONNX.
    """
    g = OnnxGraph()
    features = {name: name for name in ("token_ids", "char_ids", "shape_ids")}
    mask = g.op("Not", g.op("Equal", "token_ids", np.array(0, np.int32)))
    x = embed(g, tagger.embedder, features, max_token_length=max_token_length)
    x = encode(g, tagger.encoder, x, mask)
    tag_ids, probabilities = tag(g, tagger.head, x, mask)
    shape = ("batch", "length")
    model = g.model(
        {
            "token_ids": (np.int32, shape),
            "char_ids": (np.int32, (*shape, max_token_length)),
            "shape_ids": (np.int32, shape),
        },
        {
            "tag_ids": (tag_ids, np.int32, shape),
            "probabilities": (probabilities, np.float32, shape),
            "mask": (mask, np.bool_, shape),
        },
        metadata=metadata or {},
    )
    onnx.save(model, str(path))
