"""Padded batches of whole sentences, and the trained model's tags for them, as a reference for exports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqlab.batching.buckets import cut_windows
from seqlab.batching.encoding import FEATURES, FeatureEncoder
from seqlab.modeling.tagger import Tagger

Batch = dict[str, np.ndarray]

BATCH_SIZE = 64


def make_batches(sentences: Sequence[Sequence[str]], *, encoder: FeatureEncoder) -> list[Batch]:
    """Encode sentences: `token_ids` (B, T), `char_ids` (B, T, C) and `shape_ids` (B, T), int32."""
    types: dict[str, int] = {}
    rows = [[types.setdefault(token, len(types) + 1) for token in sentence] for sentence in sentences]
    tables = encoder.encode_types(types)
    batches = []
    for first in range(0, len(rows), BATCH_SIZE):
        part = rows[first : first + BATCH_SIZE]
        type_ids = np.zeros((len(part), max(map(len, part))), np.int64)
        for padded, row in zip(type_ids, part, strict=True):
            padded[: len(row)] = row
        batches.append({name: tables[name][type_ids] for name in FEATURES})
    return batches


def tag_batches(
    tagger: Tagger, batches: Sequence[Batch], *, max_length: int, overlap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tag sentences in graph mode: cut them into windows, join the logits, and decode each sentence once.

    Returns:
        Tag ids, int32 (N,), and their probabilities, float32 (N,), of the N real tokens of all batches.
    """
    import tensorflow as tf

    ids = {name: tf.TensorSpec((None, None, *batches[0][name].shape[2:]), tf.int32) for name in FEATURES}
    matrix = [tf.TensorSpec((None, None), dtype) for dtype in (tf.int64, tf.bool)]

    @tf.function(input_signature=[ids, *matrix])
    def tag(features: dict[str, tf.Tensor], kept: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = tagger(features, training=False)
        logits = tf.gather(tf.reshape(logits, (-1, logits.shape[-1])), kept)
        tag_ids = tagger.head.decode(logits, mask)
        return tag_ids, tf.gather(tagger.head.probabilities(logits, mask), tag_ids, batch_dims=2)

    results = []
    for batch in batches:
        mask = batch["token_ids"] != 0
        offsets = np.cumsum([0, *mask.sum(axis=1)])
        windows = cut_windows(offsets, max_length=max_length, overlap=overlap)
        place = np.arange(windows.length.max())
        tokens = np.where(place < windows.length[:, None], windows.start[:, None] + place, offsets[-1])
        flat = {name: values[mask] for name, values in batch.items()}
        features = {name: np.append(x, np.zeros_like(x[:1]), axis=0)[tokens] for name, x in flat.items()}
        is_kept = (place >= windows.keep_start[:, None]) & (place < windows.keep_stop[:, None])
        kept = np.zeros(mask.shape, np.int64)
        kept[mask] = np.flatnonzero(is_kept)
        results.append([values.numpy()[mask] for values in tag(features, kept, mask)])
    tag_ids, probabilities = (np.concatenate(part) for part in zip(*results, strict=True))
    return tag_ids, probabilities
