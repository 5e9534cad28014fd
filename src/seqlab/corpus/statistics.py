"""Corpus statistics: sizes, tags, and the overlap between splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from seqlab.corpus.sentence import Sentence


def corpus_statistics(splits: Mapping[str, Iterable[Sentence]]) -> dict[str, Any]:
    """Compute the statistics of a corpus.

    Each split is read once, train first. Memory holds the types of all splits and one hash per sentence.
    Two sentences are duplicates if their tokens are equal, whatever their tags. Rates are in 0..1.

    Args:
        splits: the sentences of each split. Without a split named `train`, the entries about unseen tokens
            and tags are omitted.

    Returns:
        A dict that can be written as JSON::

            {"splits": {"dev": {
                "sentences": 2001, "tokens": 25149, "types": 5491, "tokens_per_sentence": 12.57,
                "tags": {"O": 23000, ...},                  # most frequent first
                "longest_sentence": {"tokens": 75, "where": "dev.conll:123"},
                "duplicate_sentences": 90,                  # of a sentence earlier in the split
                "sentences_in_other_splits": {"train": 120, "test": 60},
                "unseen_token_rate": 0.08, "unseen_type_rate": 0.27,
                "tags_unseen_in_train": {"B-EVENT": 3}      # with counts
            }, ...}}
    """
    order = sorted(splits, key=lambda name: name != "train")
    counted = {name: _SplitCounts(splits[name]) for name in order}
    train = counted.get("train")
    return {"splits": {name: _describe(name, counted, train) for name in splits}}


class _SplitCounts:
    """The counts of one split."""

    def __init__(self, sentences: Iterable[Sentence]) -> None:
        self.tokens: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()
        self.sentences: Counter[int] = Counter()
        self.longest, self.longest_where = 0, ""
        for sentence in sentences:
            self.tokens.update(sentence.tokens)
            self.tags.update(sentence.tags)
            self.sentences[hash(sentence.tokens)] += 1
            if len(sentence.tokens) > self.longest:
                self.longest = len(sentence.tokens)
                self.longest_where = f"{sentence.file}:{sentence.line}"


def _describe(name: str, counted: Mapping[str, _SplitCounts], train: _SplitCounts | None) -> dict[str, Any]:
    counts = counted[name]
    num_sentences, num_tokens = counts.sentences.total(), counts.tokens.total()
    description: dict[str, Any] = {
        "sentences": num_sentences,
        "tokens": num_tokens,
        "types": len(counts.tokens),
        "tokens_per_sentence": round(_rate(num_tokens, num_sentences), 2),
        "tags": dict(sorted(counts.tags.items(), key=lambda item: (-item[1], item[0]))),
        "longest_sentence": {"tokens": counts.longest, "where": counts.longest_where},
        "duplicate_sentences": num_sentences - len(counts.sentences),
        "sentences_in_other_splits": {
            other: sum(count for key, count in counts.sentences.items() if key in counted[other].sentences)
            for other in counted
            if other != name
        },
    }
    if train is not None and name != "train":
        unseen = {token: count for token, count in counts.tokens.items() if token not in train.tokens}
        description["unseen_token_rate"] = _rate(sum(unseen.values()), num_tokens)
        description["unseen_type_rate"] = _rate(len(unseen), len(counts.tokens))
        description["tags_unseen_in_train"] = {
            tag: count for tag, count in sorted(counts.tags.items()) if tag not in train.tags
        }
    return description


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
