"""Predict the tags of a split: batches of windows in, whole sentences out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from seqlab.batching.buckets import Windows
from seqlab.batching.encoding import EncodedSplit


def predict_tags(
    predict_logits: Callable[[dict[str, Any]], Any],
    decode_logits: Callable[[Any, Any], Any],
    batches: Iterable[tuple[dict[str, Any], Any, Any, Any]],
    *,
    split: EncodedSplit,
    windows: Windows,
) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Yield `(tokens, gold, predicted)` for each sentence, in the order of the corpus.

    Every sentence is decoded once, as a whole. If it was cut into windows, the logits that each window keeps
    are joined first.

    Args:
        predict_logits: features to logits, float32 (B, T, K).
        decode_logits: logits and mask, bool (B, T), to tag ids, int32 (B, T).
        batches: the output of `evaluation_dataset` for `windows`.
        split: the split that the batches were made from.
        windows: the rows of the batches.

    Raises:
        ValueError: the batches do not contain every token of the split exactly once.
    """
    predicted = np.zeros(split.num_tokens, np.int32)
    counts = np.bincount(windows.sentence)
    incomplete: dict[int, dict[int, np.ndarray]] = {}
    num_predicted = 0
    for features, _, _, row_ids in batches:
        logits = predict_logits(features)
        tag_ids = np.asarray(decode_logits(logits, np.asarray(features["token_ids"]) != 0))
        for row, row_id in enumerate(np.asarray(row_ids).tolist()):
            if row_id < 0:
                continue
            sentence, start = int(windows.sentence[row_id]), windows.start[row_id]
            if counts[sentence] == 1:
                length = windows.length[row_id]
                predicted[start : start + length] = tag_ids[row, :length]
                num_predicted += length
                continue
            parts = incomplete.setdefault(sentence, {})
            parts[row_id] = np.asarray(logits[row])[windows.keep_start[row_id] : windows.keep_stop[row_id]]
            if len(parts) == counts[sentence]:
                start, stop = split.offsets[sentence], split.offsets[sentence + 1]
                joined = np.concatenate([parts[i] for i in sorted(incomplete.pop(sentence))])
                predicted[start:stop] = _decode_sentence(decode_logits, joined)
                num_predicted += stop - start
    if num_predicted != split.num_tokens:
        raise ValueError(f"tags were predicted for {num_predicted} of the split's {split.num_tokens} tokens")
    for (tokens, gold), start in zip(split.sentences(), split.offsets[:-1], strict=True):
        yield tokens, gold, [split.tags[i] for i in predicted[start : start + len(tokens)]]


def _decode_sentence(decode_logits: Callable[[Any, Any], Any], logits: np.ndarray) -> np.ndarray:
    """Decode logits (N, K), padded to a power of two: a graph is traced once for each padded length."""
    length = len(logits)
    padded = np.zeros((1, 1 << (length - 1).bit_length(), logits.shape[1]), logits.dtype)
    padded[0, :length] = logits
    mask = np.arange(padded.shape[1])[None] < length
    return np.asarray(decode_logits(padded, mask))[0, :length]
