"""A registered version with the scores, corpus and commit that its tags contain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

DIGEST_TAG = "corpus.digest"

SCORES = ("span_f1", "token_accuracy")
"""Versions are compared on dev by the first of these scores that the promoted version has."""

SCORE_NAMES = {"span_f1": "span F1", "token_accuracy": "token accuracy"}


@dataclass(frozen=True)
class ScoredVersion:
    """A registered version with its scores.

    Args:
        version: its number.
        corpus: the corpus's name.
        digest: the corpus's digest.
        dev: scores on dev, by the names in `SCORES`.
        test: scores on test.
        intervals: 95 % intervals of the scores on dev.
    """

    version: str
    corpus: str = "?"
    digest: str = ""
    dev: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def describe(self, score: str) -> str:
        """Return the version and its scores: `version 3 (span F1 0.9124 on dev, 0.9011 on test)`."""
        dev = f"{self.dev[score]:.4f}" if score in self.dev else "unknown"
        test = f"{self.test[score]:.4f}" if score in self.test else "unknown"
        return f"version {self.version} ({SCORE_NAMES[score]} {dev} on dev, {test} on test)"

    def describe_corpus(self) -> str:
        """Return the corpus's name and the start of its digest."""
        return f"corpus {self.corpus}, digest {self.digest[:12] or '?'}"

    @property
    def main_score(self) -> str | None:
        """The first of `SCORES` that dev has."""
        return next((score for score in SCORES if score in self.dev), None)


def read_scored_version(client: MlflowClient, version: ModelVersion) -> ScoredVersion:
    """Read a version's scores from its tags, or from its run if it was registered without them."""
    from mlflow.exceptions import MlflowException

    tags, metrics = dict(version.tags), {}
    if not any(f"best_dev/{score}" in tags for score in SCORES):
        try:
            run = client.get_run(version.run_id).data
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        else:
            tags, metrics = {**run.tags, **tags}, run.metrics

    def scores(split: str) -> dict[str, float]:
        found = {score: tags.get(f"{split}/{score}", metrics.get(f"{split}/{score}")) for score in SCORES}
        return {score: float(value) for score, value in found.items() if value is not None}

    intervals = {score: tags.get(f"best_dev/{score}_interval") for score in SCORES}
    return ScoredVersion(
        version=str(version.version),
        corpus=tags.get("corpus", "?"),
        digest=tags.get(DIGEST_TAG, ""),
        dev=scores("best_dev"),
        test=scores("test"),
        intervals={score: tuple(json.loads(text)) for score, text in intervals.items() if text},
    )


def score_tags(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a version's tags for scores by split, as in evaluate.json: `best_dev/span_f1`, `test/...`."""
    names = [name for score in SCORES for name in (score, f"{score}_interval")]
    return {
        f"{'best_dev' if split == 'dev' else split}/{name}": json.dumps(row[name])
        for split, row in scores.items()
        for name in names
        if name in row
    }


def version_description(tags: Mapping[str, str]) -> str:
    """Return the description of a version: scores, corpus, commit."""

    def number(split: str, score: str) -> str:
        interval = tags.get(f"{split}/{score}_interval")
        shown = "{:.4f}".format(float(tags[f"{split}/{score}"]))
        return shown + (" [{:.4f}, {:.4f}]".format(*json.loads(interval)) if interval else "")

    lines = []
    for score in SCORES:
        splits = {"dev": "best_dev", "test": "test"}
        shown = [
            f"{number(key, score)} on {split}" for split, key in splits.items() if f"{key}/{score}" in tags
        ]
        lines += [f"{SCORE_NAMES[score]}: {', '.join(shown)}"] if shown else []
    if "corpus" in tags:
        synthetic = " (synthetic)" if tags.get("corpus.synthetic") == "true" else ""
        lines.append(f"corpus: {tags['corpus']}{synthetic}, digest {tags.get(DIGEST_TAG, '?')[:12]}")
    if "git.commit" in tags:
        dirty = " with uncommitted changes" if tags.get("git.dirty") == "true" else ""
        lines.append(f"commit: {tags['git.commit'][:12]} ({tags.get('git.branch', '?')}){dirty}")
    if "dvc.exp_name" in tags:
        lines.append(f"experiment: {tags['dvc.exp_name']}")
    return "\n\n".join(lines)


def within_noise(version: ScoredVersion, other: ScoredVersion, score: str) -> str:
    """Say that the difference of two scores on dev is within noise; empty if it is not, or unknown."""
    for one, of in ((version, other), (other, version)):
        low, high = of.intervals.get(score, (1.0, 0.0))
        if low <= one.dev.get(score, -1.0) <= high:
            return (
                f"the difference on dev ({version.dev[score] - other.dev[score]:+.4f}) is within noise: "
                f"{one.dev[score]:.4f} lies in the 95 % interval of version {of.version}, "
                f"[{low:.4f}, {high:.4f}]"
            )
    return ""
