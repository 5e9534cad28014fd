"""Proof that every exported form tags as the trained model does: all of dev, each form in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.errors import SeqlabError

RUNNERS = {
    "keras": "run_keras.py",
    "saved_model": "run_saved_model.py",
    "onnx": "run_onnx.py",
    "pyfunc": "run_pyfunc.py",
}
_PROCESSES = 2
_SOURCES = Path(__file__).resolve().parents[2]


def check_parity(
    forms: Mapping[str, Path],
    *,
    sentences: Sequence[Sequence[str]],
    rows: Mapping[str, np.ndarray],
    expected: tuple[np.ndarray, np.ndarray],
    tag_names: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """Tag `sentences` with every form and compare with the trained model.

    Args:
        forms: by the names of `RUNNERS`, the exported file or folder.
        sentences: tokens of real sentences, N in all.
        rows: the same as ids, from `make_rows`.
        expected: the trained model's tag ids int (N,) and their probabilities float (N,).
        tag_names: the tag vocabulary.

    Returns:
        For each form and way of calling it: `tokens` compared, `differing_tags` (0), and
        `max_probability_difference`. Sentences that cannot be given to a signature token for token (the text
        signature finds its own tokens) are not counted.

    Raises:
        SeqlabError: a tag differs, or a form could not be run.
    """
    report: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "sentences.json").write_text(json.dumps(list(map(list, sentences))), encoding="utf-8")
        arrays: dict[str, Any] = dict(rows)
        np.savez(folder / "rows.npz", **arrays)
        with ThreadPoolExecutor(_PROCESSES) as pool:
            pending = {form: pool.submit(run_form, form, path, folder) for form, path in forms.items()}
        for form, running in pending.items():
            results = running.result()
            calls = sorted({name.partition("/")[0] for name in results})
            for call in calls:
                name = form if call == form else f"{form}:{call}"
                received = results[f"{call}/tag_ids"], results[f"{call}/probabilities"]
                report[name] = compare(
                    name, received, expected=expected, sentences=sentences, tag_names=tag_names
                )
    return report


def run_form(form: str, path: Path, folder: Path) -> dict[str, np.ndarray]:
    """What a form's runner wrote, run in a process that sees no GPU, and seqlab only where the form needs it.

    Raises:
        SeqlabError: with the end of what the runner said, where it failed.
    """
    output = folder / f"{form}.npz"
    runner = Path(__file__).with_name("runners") / RUNNERS[form]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    isolation = ["-I"]
    if form == "keras":
        isolation = []
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(_SOURCES), os.environ.get("PYTHONPATH", "")])
        )
    command = [sys.executable, *isolation, str(runner), str(path.resolve()), str(folder), str(output)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SeqlabError(
            f"the exported form {form!r} cannot be run in a fresh process",
            where=str(path),
            expected="exit status 0",
            received=f"exit status {done.returncode}\n{done.stderr.strip()[-2000:]}",
            remedy="the model is kept as it was before; see the error above",
        )
    with np.load(output) as results:
        return dict(results)


def compare(
    name: str,
    received: tuple[np.ndarray, np.ndarray],
    *,
    expected: tuple[np.ndarray, np.ndarray],
    sentences: Sequence[Sequence[str]],
    tag_names: Sequence[str],
) -> dict[str, Any]:
    """Compare one form's tag ids and probabilities (N,) with the trained model's; -1 is a token not compared.

    Raises:
        SeqlabError: a tag differs; the first one is shown in its sentence.
    """
    tag_ids, probabilities = received
    compared = tag_ids >= 0
    differs = compared & (tag_ids != expected[0])
    if differs.any():
        place = int(np.flatnonzero(differs)[0])
        stops = np.cumsum([len(sentence) for sentence in sentences])
        number = int(np.searchsorted(stops, place, side="right"))
        position = place - int(stops[number]) + len(sentences[number])
        raise SeqlabError(
            f"{int(differs.sum())} of {int(compared.sum())} tags differ from the trained model's",
            where=f"export, {name}",
            expected=f"{tag_names[expected[0][place]]} (probability {expected[1][place]:.6f})",
            received=f"{tag_names[tag_ids[place]]} (probability {probabilities[place]:.6f}) for token "
            f"{position + 1}, {sentences[number][position]!r}, of {' '.join(sentences[number])[:200]!r}",
            remedy="nothing was exported; the fault lies in the export, or in a layer that computes "
            "otherwise at another padded length",
        )
    difference = np.abs(probabilities - expected[1])[compared]
    return {
        "tokens": int(compared.sum()),
        "differing_tags": 0,
        "max_probability_difference": float(difference.max()) if len(difference) else 0.0,
    }
