"""What a sweep has found: the table of its trials, and its best values in params.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqlab.errors import SeqlabError
from seqlab.sweeps.applying import apply_values
from seqlab.sweeps.journal import SweepFolder, Trial, best_trial, sweeps_folder
from seqlab.sweeps.spec import SweepSpec


def print_trials(trials: Sequence[Trial], spec: SweepSpec) -> int:
    """Print the trials, best first, and how to go on; return the exit status: 1 if none has finished."""
    from rich.console import Console

    from seqlab.pipeline.report_blocks import WIDTH, Paragraph, Table, print_blocks

    sign = -1 if spec.mode == "max" else 1
    order = sorted(trials, key=lambda trial: (trial.status != "finished", sign * (_shown(trial) or 0.0)))
    rows = [
        (
            str(trial.number),
            *(str(trial.values[name]) for name in spec.space),
            "" if (score := _shown(trial)) is None else f"{score:.4f}",
            str(trial.scores[-1][0]) if trial.scores else "",
            f"{trial.duration_s:.0f}",
            _status(trial),
        )
        for trial in order
    ]
    header = ("trial", *short_names(spec.space), f"dev {spec.metric}", "epochs", "s", "status")
    best = best_trial(trials, mode=spec.mode)
    if best is None:
        after = "No trial has finished. The errors are in the runs, and in " + str(
            Path(".seqlab/sweeps") / spec.name
        )
    else:
        after = (
            f"Best: trial {best.number}, MLflow run {best.run_id[:12]}.\n"
            f"Write its values into params.yaml: seqlab sweep --apply {spec.name}"
        )
    console = Console()
    console.width = min(console.width, WIDTH)
    numeric = [
        place
        for place, name in enumerate(spec.space, start=1)
        if all(isinstance(trial.values[name], (int, float)) for trial in trials)
    ]
    numbers = [0, *numeric, *range(len(spec.space) + 1, len(spec.space) + 4)]
    print_blocks([Table(header, rows, numbers), Paragraph(after, warning=best is None)], console)
    return 0 if best else 1


def short_names(names: Iterable[str]) -> list[str]:
    """Return the last parts of parameters' names, as many as tell them apart."""
    parts = [name.split(".") for name in names]
    for length in range(1, max(map(len, parts)) + 1):
        short = [".".join(part[-length:]) for part in parts]
        if len(set(short)) == len(short):
            return short
    return [".".join(part) for part in parts]


def _shown(trial: Trial) -> float | None:
    """Return the score, or for a trial without a model the best one of its epochs."""
    if trial.score is not None or not trial.scores:
        return trial.score
    return trial.scores[-1][1]


def _status(trial: Trial) -> str:
    retries = f", {trial.attempts} attempts" if trial.attempts > 1 else ""
    error = f": {trial.error.splitlines()[0]}" if trial.error else ""
    return f"{trial.status}{retries}{error}"


def apply_best(reference: str, *, root: Path) -> int:
    """Write the best trial's values into params.yaml, and print the lines that changed.

    Args:
        reference: the sweep's file, or its name.
        root: the repository's root.

    Raises:
        SeqlabError: there is no such sweep, or none of its trials has finished.
    """
    folder, mode = _find(reference, root)
    best = best_trial(folder.trials, mode=mode)
    if best is None:
        raise SeqlabError(
            "the sweep has no finished trial",
            where=str(folder.path),
            received=f"{len(folder.trials)} trials",
            remedy="run the sweep, or continue it, with `seqlab sweep SPEC`",
        )
    changed = apply_values(root / "params.yaml", best.values)
    score = f"trial {best.number}, score {best.score:.4f}, MLflow run {best.run_id[:12]}"
    print("\n".join([f"best: {score}", *(changed or ["params.yaml has these values already"])]))
    if changed:
        print("train with these values: dvc repro")
    return 0


def _find(reference: str, root: Path) -> tuple[SweepFolder, str]:
    """Return the folder of a sweep, and its mode."""
    from seqlab.sweeps.spec import sweep_name

    path = Path(reference)
    name = sweep_name(path) if path.is_file() else reference
    start = sweeps_folder(root) / name / "start.json"
    if (path.name != reference and not path.is_file()) or not start.is_file():
        known = sorted(found.parent.name for found in sweeps_folder(root).glob("*/start.json"))
        raise SeqlabError(
            "there is no such sweep",
            where=reference,
            expected="a sweep's file, or the name of one that was run here",
            received=f"sweeps: {', '.join(known) or 'none'}",
            remedy="run it first: seqlab sweep SPEC",
        )
    return SweepFolder(root, name), str(json.loads(start.read_text(encoding="utf-8"))["spec"]["mode"])
