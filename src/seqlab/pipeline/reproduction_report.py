"""Two runs side by side: what they were made from, their weights and scores, and whether they are equal."""

from __future__ import annotations

from collections.abc import Mapping

from seqlab.pipeline.record import WEIGHTS
from seqlab.pipeline.report_blocks import Block, Heading, Paragraph, Table
from seqlab.tracking.past_runs import PastRun
from seqlab.tracking.provenance import NONE
from seqlab.tracking.scored_version import SCORES
from seqlab.tracking.source_patch import PATCH

UNKNOWN = "unknown"

INPUTS = {
    "git.commit": "commit",
    PATCH: "changes",
    "corpus.digest": "corpus",
    "version.python": "Python",
    "version.keras": "Keras",
    "version.tensorflow": "TensorFlow",
    "version.numpy": "NumPy",
    "run.processor": "processor",
    "run.threads": "threads",
    "run.device": "device",
}
"""The tags that name what a training depends on. Equal values promise equal weights on one CPU."""


def compare_runs(
    run: PastRun, again: PastRun, *, present: Mapping[str, str], tolerance: float
) -> tuple[list[Block], str, bool]:
    """Compare what two runs were made from, their weights and their scores.

    Args:
        run: the original.
        again: the reproduction.
        present: tags of this machine, for a run whose code did not record them.
        tolerance: by which scores may differ where equal weights are not promised.

    Returns:
        The report, its last sentence, and whether the run was reproduced.
    """
    rows, unequal = [], []
    for key, name in INPUTS.items():
        default = NONE if key == PATCH else UNKNOWN
        before, now = run.tags.get(key, default), again.tags.get(key, present.get(key, default))
        is_equal = before == now != UNKNOWN
        unequal += [] if is_equal else [name]
        shown = [value[:12] if len(value) in (40, 64) else value for value in (before, now)]
        rows.append((name, *shown, "equal" if is_equal else UNKNOWN if before == UNKNOWN else "differs"))
    keys = [key for key in {**run.params, **again.params} if run.params.get(key) != again.params.get(key)]
    rows.append(("parameters", "", ", ".join(keys), "differs" if keys else "equal"))
    strategy = again.tags.get("run.strategy", NONE)
    is_promised = not (unequal or keys) and again.tags.get("run.device") == "cpu" and strategy == NONE
    digests = [found.tags.get(WEIGHTS, UNKNOWN) for found in (run, again)]
    are_known = UNKNOWN not in digests
    has_equal_weights = are_known and digests[0] == digests[1]
    weights = "equal" if has_equal_weights else "differs" if are_known else UNKNOWN
    rows.append(("weights", *(digest[:12] for digest in digests), weights))
    differences = []
    nan = float("nan")
    for key in (f"{group}/{score}" for group in ("best_dev", "test") for score in SCORES):
        if key not in run.metrics:
            continue
        score, difference = again.metrics.get(key, nan), again.metrics.get(key, nan) - run.metrics[key]
        differences.append(abs(difference))
        verdict = f"{difference:+.4f}" if difference else "equal"
        name = key.removeprefix("best_").replace("/", " ")
        rows.append((name, f"{run.metrics[key]:.4f}", f"{score:.4f}", verdict))
    outcome, is_reproduced = _outcome(
        unequal + (["parameters"] if keys else []),
        is_promised=is_promised,
        weights=weights,
        are_scores_equal=bool(differences) and not any(differences),
        are_scores_near=bool(differences) and all(value <= tolerance for value in differences),
        tolerance=tolerance,
    )
    blocks: list[Block] = [
        Heading(f"Run {run.run_id[:12]} and its reproduction {again.run_id[:12]}"),
        Table(("", "original", "reproduction", ""), rows),
        Paragraph(outcome, warning=not is_reproduced),
    ]
    return blocks, outcome, is_reproduced


def _outcome(
    unequal: list[str],
    *,
    is_promised: bool,
    weights: str,
    are_scores_equal: bool,
    are_scores_near: bool,
    tolerance: float,
) -> tuple[str, bool]:
    if lost := [name for name in unequal if name in ("corpus", "parameters")]:
        return f"Not reproduced: other {' and '.join(lost)}.", False
    if weights == "equal" and are_scores_equal:
        return "Reproduced: equal weights and scores.", True
    if is_promised and (weights == "differs" or not are_scores_equal):
        return "Not reproduced: nothing differs that the training depends on, but the results do.", False
    why = f"equal weights are not promised ({', '.join(unequal) or 'no CPU alone'})"
    if is_promised:
        return "Reproduced: equal scores; the run has no digest of its weights.", True
    if are_scores_near:
        return f"Reproduced: scores within {tolerance:g}; {why}.", True
    return f"Not reproduced: scores differ by more than {tolerance:g}; {why}.", False
