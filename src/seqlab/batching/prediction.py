"""From batches of decoded rows back to whole sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from seqlab.batching.buckets import Windows
from seqlab.batching.encoding import EncodedSplit


def predict_tags(
    decode: Callable[[dict[str, Any]], Any],
    batches: Iterable[tuple[dict[str, Any], Any, Any, Any]],
    *,
    split: EncodedSplit,
    windows: Windows,
    on_batch: Callable[[dict[str, Any], Any, Any, Any], None] | None = None,
) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Decode every row and yield `(tokens, gold, predicted)` for each sentence, in the corpus's order.

    Args:
        decode: features to tag ids, int32 (B, T).
        batches: what `evaluation_dataset` yields over `windows`.
        split: the split that the batches were made from.
        windows: the rows; of overlapping ones each keeps its own part.
        on_batch: called with each batch before it is decoded.

    Raises:
        ValueError: the batches did not hold every token of the split just once.
    """
    predicted = np.zeros(split.num_tokens, np.int32)
    scored = 0
    for features, tag_ids, sample_weight, row_ids in batches:
        if on_batch:
            on_batch(features, tag_ids, sample_weight, row_ids)
        decoded = np.asarray(decode(features))
        for row, row_id in zip(decoded, np.asarray(row_ids), strict=True):
            if row_id < 0:
                continue
            start, keep = windows.start[row_id], slice(windows.keep_start[row_id], windows.keep_stop[row_id])
            predicted[start + keep.start : start + keep.stop] = row[keep]
            scored += keep.stop - keep.start
    if scored != split.num_tokens:
        raise ValueError(f"{scored} tokens were scored, but the split has {split.num_tokens}")
    position = 0
    for tokens, gold in split.sentences():
        yield tokens, gold, [split.tags[i] for i in predicted[position : position + len(tokens)]]
        position += len(tokens)
