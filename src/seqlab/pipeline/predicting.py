"""Tagging an encoded split: the dev score, the evaluation and the exports all do it in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seqlab.batching.buckets import Bucket, Windows, cut_windows
from seqlab.batching.datasets import evaluation_dataset
from seqlab.batching.encoding import EncodedSplit, FeatureEncoder
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
    longest = training.bucket_boundaries[-1]
    return {"max_length": longest, "overlap": longest // 4}


def prediction_plan(split: EncodedSplit, training: TrainingParams) -> tuple[Windows, list[Bucket]]:
    """Return the rows and buckets in which a split is tagged; every boundary is used."""
    windows = cut_windows(split.offsets, **prediction_window(training))
    return windows, [Bucket(boundary, BATCH_SIZE) for boundary in training.bucket_boundaries]


def predict_split(
    tagger: Tagger, split: EncodedSplit, *, windows: Windows, buckets: list[Bucket], spans: bool
) -> Iterator[TaggedSentence]:
    """Yield each sentence of the split in order, with gold and predicted tags.

    If tags encode spans, both are in IOB2, whatever scheme the model learned: its token accuracy would
    differ in another scheme.
    """
    batches = evaluation_dataset(split, windows, buckets)
    rows = predict_tags(tagger.predict_logits, tagger.decode_logits, batches, split=split, windows=windows)
    yield from spell_as_iob2(rows) if spans else map(TaggedSentence._make, rows)
