"""Tagging an encoded split: the dev score, the evaluation and the exports all do it in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from seqlab.batching.buckets import Bucket, Windows, choose_boundaries, cut_windows
from seqlab.batching.datasets import evaluation_dataset
from seqlab.batching.encoding import EncodedSplit, FeatureEncoder
from seqlab.batching.gathering import BatchGatherer
from seqlab.batching.pieces import count_pieces
from seqlab.batching.prediction import predict_tags
from seqlab.batching.vocabulary import Vocabulary
from seqlab.evaluation.predictions import TaggedSentence, spell_as_iob2
from seqlab.modeling.tagger import Tagger
from seqlab.params import TrainingParams

BATCH_SIZE = 64


def load_prepared(prepared: Path) -> tuple[FeatureEncoder, Vocabulary]:
    """Read the vocabularies that the prepare stage wrote: of the features, and of the tags."""
    vocabulary = prepared / "vocabulary"
    return FeatureEncoder.read(vocabulary), Vocabulary.read(vocabulary / "tags.json")


def prediction_window(training: TrainingParams) -> dict[str, int]:
    """Return `max_length` and `overlap`, in tokens, of the windows into which long sentences are cut."""
    return {"max_length": training.window_length, "overlap": training.window_length // 4}


def cut_rows(
    split: EncodedSplit,
    *,
    max_length: int,
    overlap: int = 0,
    continues: Callable[[int, int], np.ndarray] | None = None,
) -> Windows:
    """Cut a split into rows of at most `max_length` tokens and, if it has pieces, as many as a row may have.

    The arguments are those of `cut_windows`.
    """
    crowded, pieces = {}, split.pieces
    if pieces:
        totals = count_pieces(split.type_ids, split.offsets[:-1], split.offsets[1:], pieces)
        for i in np.flatnonzero(totals > pieces.special.max_pieces).tolist():
            crowded[i] = pieces.counts[split.type_ids[split.offsets[i] : split.offsets[i + 1]]]
    return cut_windows(
        split.offsets,
        max_length=max_length,
        overlap=overlap,
        continues=continues,
        crowded=crowded,
        max_pieces=pieces.special.max_pieces if pieces else 0,
    )


def row_lengths(split: EncodedSplit, windows: Windows) -> np.ndarray:
    """Return the lengths of rows by which they are batched, int (rows,).

    They are in tokens; if the split has pieces, in pieces, `start` and `end` included.
    """
    if not split.pieces:
        return windows.length
    stops = windows.start + windows.length
    return 2 + count_pieces(split.type_ids, windows.start, stops, split.pieces)


def boundaries_for(lengths: np.ndarray, training: TrainingParams, *, batch_size: int) -> list[int]:
    """Return the lengths to which rows of these lengths are padded, ascending."""
    if isinstance(training.bucket_boundaries, int):
        return choose_boundaries(lengths, num_buckets=training.bucket_boundaries, batch_size=batch_size)
    return sorted({*training.bucket_boundaries, max(training.window_length, int(lengths.max(initial=1)))})


def prediction_plan(split: EncodedSplit, training: TrainingParams) -> tuple[Windows, list[Bucket]]:
    """Return the rows and buckets in which a split is tagged."""
    window = prediction_window(training)
    windows = cut_rows(split, max_length=window["max_length"], overlap=window["overlap"])
    boundaries = boundaries_for(row_lengths(split, windows), training, batch_size=1)
    return windows, [Bucket(boundary, BATCH_SIZE) for boundary in boundaries]


def predict_split(
    tagger: Tagger, split: EncodedSplit, *, windows: Windows, buckets: list[Bucket], spans: bool
) -> Iterator[TaggedSentence]:
    """Yield each sentence of the split in order, with gold and predicted tags.

    If tags encode spans, both are in IOB2, whatever scheme the model learned: its token accuracy would
    differ in another scheme.
    """
    batches = evaluation_dataset(BatchGatherer(split, windows), row_lengths(split, windows), buckets)
    rows = predict_tags(tagger.predict_logits, tagger.decode_logits, batches, split=split, windows=windows)
    yield from spell_as_iob2(rows) if spans else map(TaggedSentence._make, rows)
