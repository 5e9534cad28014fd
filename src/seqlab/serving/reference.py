"""Padded batches of whole sentences, and the trained model's tags for them, as a reference for exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.pieces import SpecialPieces
from seqlab.modeling.tagger import Tagger
from seqlab.serving.tagging.piece_windows import cut_piece_windows, gatherer_of_matrix, piece_matrix

Batch = dict[str, np.ndarray]

BATCH_SIZE = 64


def make_batches(
    sentences: Sequence[Sequence[str]],
    *,
    encoder: FeatureEncoder,
    tokenize: Callable[[Sequence[str]], Sequence[Sequence[int]]] | None = None,
) -> list[Batch]:
    """Encode sentences: `token_ids` (B, T), `char_ids` (B, T, C) and `shape_ids` (B, T), int32.

    If `tokenize` maps tokens to the pieces of a pretrained encoder, there is also `piece_ids` (B, T, N), the
    pieces of each token without special ones, -1 at padding.
    """
    types: dict[str, int] = {}
    rows = [[types.setdefault(token, len(types) + 1) for token in sentence] for sentence in sentences]
    tables = encoder.encode_types(types)
    if tokenize and encoder.pieces:
        rows_of_pieces = map(encoder.pieces.of_token, tokenize(list(types)))
        tables["piece_ids"] = piece_matrix([[], *rows_of_pieces])
    batches = []
    for first in range(0, len(rows), BATCH_SIZE):
        part = rows[first : first + BATCH_SIZE]
        type_ids = np.zeros((len(part), max(map(len, part))), np.int64)
        for padded, row in zip(type_ids, part, strict=True):
            padded[: len(row)] = row
        batch = {name: table[type_ids] for name, table in tables.items()}
        if "piece_ids" in batch:
            longest = int((batch["piece_ids"] >= 0).sum(axis=2).max())
            batch["piece_ids"] = batch["piece_ids"][..., :longest]
        batches.append(batch)
    return batches


def tag_batches(
    tagger: Tagger,
    batches: Sequence[Batch],
    *,
    max_length: int,
    overlap: int,
    pieces: SpecialPieces | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Tag sentences in graph mode: cut them into windows, join the logits, and decode each sentence once.

    Args:
        tagger: computing in float32.
        batches: from `make_batches`.
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share.
        pieces: the special pieces of the tagger's pretrained encoder, if it has one.

    Returns:
        Tag ids, int32 (N,), and their probabilities, float32 (N,), of the N real tokens of all batches.
    """
    import tensorflow as tf

    ids = {
        name: tf.TensorSpec((None, None, *values.shape[2:]), tf.int32)
        for name, values in batches[0].items()
        if name != "piece_ids"
    }
    if pieces:
        names = ("piece_ids", "piece_starts", "piece_counts")
        ids |= {name: tf.TensorSpec((None, None), tf.int32) for name in names}
    matrix = [tf.TensorSpec((None, None), dtype) for dtype in (tf.int64, tf.bool)]

    @tf.function(input_signature=[ids, *matrix], autograph=False)
    def tag(features: dict[str, tf.Tensor], kept: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = tagger(features, training=False)
        logits = tf.gather(tf.reshape(logits, (-1, logits.shape[-1])), kept)
        tag_ids = tagger.head.decode(logits, mask)
        return tag_ids, tf.gather(tagger.head.probabilities(logits, mask), tag_ids, batch_dims=2)

    results = []
    for batch in batches:
        mask = batch["token_ids"] != 0
        offsets = np.cumsum([0, *mask.sum(axis=1)])
        flat = {name: values[mask] for name, values in batch.items()}
        matrix = flat.pop("piece_ids", np.zeros((len(flat["token_ids"]), 1), np.int32))
        windows = cut_piece_windows(
            offsets,
            (matrix >= 0).sum(axis=1),
            max_length=max_length,
            overlap=overlap,
            max_pieces=pieces.max_pieces if pieces else max_length,
        )
        place = np.arange(windows.length.max())
        tokens = np.where(place < windows.length[:, None], windows.start[:, None] + place, offsets[-1])
        features = {name: np.append(x, np.zeros_like(x[:1]), axis=0)[tokens] for name, x in flat.items()}
        if pieces:
            rows = np.where(tokens < offsets[-1], tokens + 1, 0)
            features |= gatherer_of_matrix(matrix, pieces).gather(rows)
        is_kept = (place >= windows.keep_start[:, None]) & (place < windows.keep_stop[:, None])
        kept = np.zeros(mask.shape, np.int64)
        kept[mask] = np.flatnonzero(is_kept)
        results.append([values.numpy()[mask] for values in tag(features, kept, mask)])
    tag_ids, probabilities = (np.concatenate(part) for part in zip(*results, strict=True))
    return tag_ids, probabilities
