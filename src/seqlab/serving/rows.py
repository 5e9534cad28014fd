"""Sentences as flat rows of ids, the input that every exported form is given when they are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqlab.batching.buckets import cut_windows
from seqlab.batching.encoding import FEATURES, FeatureEncoder
from seqlab.modeling.tagger import Tagger

BATCH_SIZE = 64


def make_rows(
    sentences: Sequence[Sequence[str]], *, encoder: FeatureEncoder, max_length: int, overlap: int
) -> dict[str, np.ndarray]:
    """Encode sentences and cut the long ones, as evaluation does.

    Returns:
        `token_ids` (M,), `char_ids` (M, C), `shape_ids` (M,) int32 of all rows one after the other, `lengths`
        int64 (rows,), and `keep` bool (M,), the places that are read row by row to get each token once.
    """
    types: dict[str, int] = {}
    type_ids = [types.setdefault(token, len(types) + 1) for sentence in sentences for token in sentence]
    tables = encoder.encode_types(types)
    offsets = np.cumsum([0, *(len(sentence) for sentence in sentences)])
    windows = cut_windows(offsets, max_length=max_length, overlap=overlap)
    row = np.repeat(np.arange(len(windows)), windows.length)
    place = np.arange(len(row)) - (np.cumsum(windows.length) - windows.length)[row]
    ids = np.asarray(type_ids, np.int64)[windows.start[row] + place]
    return {
        **{name: tables[name][ids] for name in FEATURES},
        "lengths": windows.length,
        "keep": (place >= windows.keep_start[row]) & (place < windows.keep_stop[row]),
    }


def tag_rows(tagger: Tagger, rows: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Tag ids int32 (N,) and their probabilities float32 (N,), in graph mode, of the rows' N tokens."""
    import tensorflow as tf

    ids, characters = (None, None), (None, None, rows["char_ids"].shape[1])
    shapes = {"token_ids": ids, "char_ids": characters, "shape_ids": ids}

    @tf.function(input_signature=[{name: tf.TensorSpec(shape, tf.int32) for name, shape in shapes.items()}])
    def tag(features: dict[str, Any]) -> tuple[Any, Any]:
        mask = tagger.compute_token_mask(features)
        logits = tagger(features, training=False)
        tag_ids = tagger.head.decode(logits, mask)
        return tag_ids, tf.gather(tagger.head.probabilities(logits, mask), tag_ids, batch_dims=2)

    stops = np.cumsum(rows["lengths"])
    tag_ids, probabilities = [], []
    for first in range(0, len(stops), BATCH_SIZE):
        part = slice(stops[first] - rows["lengths"][first], stops[min(first + BATCH_SIZE, len(stops)) - 1])
        lengths = rows["lengths"][first : first + BATCH_SIZE]
        inside = np.arange(lengths.max()) < lengths[:, None]
        batch = {}
        for name in FEATURES:
            batch[name] = np.zeros((*inside.shape, *rows[name].shape[1:]), np.int32)
            batch[name][inside] = rows[name][part]
        decoded, chosen = tag({name: tf.constant(values) for name, values in batch.items()})
        tag_ids.append(decoded.numpy()[inside][rows["keep"][part]])
        probabilities.append(chosen.numpy()[inside][rows["keep"][part]])
    return np.concatenate(tag_ids), np.concatenate(probabilities)
