"""Check that every exported form tags as the trained model does: all of dev, in new processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.errors import SeqlabError
from seqlab.evaluation.predictions import iob2_tags
from seqlab.serving import runners
from seqlab.serving.reference import Batch

_PARALLEL = 2
_SOURCES = Path(__file__).resolve().parents[2]


Processes = Mapping[tuple[str, ...], "subprocess.Popen[str]"]


@contextmanager
def started_runners() -> Iterator[Processes]:
    """Start a process for each group of `runners.PROCESSES`, to import libraries while the forms are made.

    The processes see no GPU, and only that of `runners.SEQLAB_FORM` can import seqlab.
    """
    processes: dict[tuple[str, ...], subprocess.Popen[str]] = {}
    try:
        for group in runners.PROCESSES:
            environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
            isolation = "-I"
            if runners.SEQLAB_FORM in group:
                isolation = "-P"  # the script's own folder has a package `onnx`
                paths = [str(_SOURCES), os.environ.get("PYTHONPATH", "")]
                environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
            processes[group] = subprocess.Popen(
                [sys.executable, isolation, str(runners.__file__), *group],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            with suppress(ValueError):  # a signal ended `communicate`, which has closed the pipe
                process.communicate()


def check_parity(
    forms: Mapping[str, Path],
    *,
    processes: Processes,
    sentences: Sequence[Sequence[str]],
    batches: Sequence[Batch],
    window: Mapping[str, int],
    expected: tuple[np.ndarray, np.ndarray],
    tag_names: Sequence[str],
    spans: bool,
) -> dict[str, dict[str, Any]]:
    """Tag sentences with every form and compare the tags with those of the trained model.

    Args:
        forms: the exported files or folders, by the names of `runners.RUNNERS`.
        processes: from `started_runners`; each is used once.
        sentences: tokens of real sentences, N tokens in all.
        batches: the same sentences as ids, from `make_batches`.
        window: `max_length` and `overlap` of the windows of long sentences.
        expected: the trained model's tag ids, int (N,), and their probabilities, float (N,).
        tag_names: the tag vocabulary.
        spans: whether tags encode spans; tags as strings are then compared in IOB2.

    Returns:
        For each form and way of calling it: `tokens` compared, `differing_tags` (0), and
        `max_probability_difference`. A sentence is not compared if a form splits it into other tokens, as the
        signature `text` may do. The tags of quantised weights (`tag:int8`) may differ, and `differing_tags`
        counts them.

    Raises:
        SeqlabError: a tag differs, or a form cannot be run.
    """
    report: dict[str, dict[str, Any]] = {}
    as_strings = _written_tags(expected[0], sentences=sentences, tag_names=tag_names, spans=spans)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        written = {"sentences": list(map(list, sentences)), "window": dict(window)}
        (folder / "sentences.json").write_text(json.dumps(written), encoding="utf-8")
        arrays: dict[str, Any] = {
            f"{name}/{number}": ids for number, batch in enumerate(batches) for name, ids in batch.items()
        }
        np.savez(folder / "batches.npz", **arrays)
        groups = [(group, {form: forms[form] for form in group if form in forms}) for group in processes]
        made: dict[str, dict[str, np.ndarray]] = {}
        with ThreadPoolExecutor(_PARALLEL) as pool:
            pending = [
                pool.submit(run_forms, processes[group], some, folder) for group, some in groups if some
            ]
        for running in pending:
            made |= running.result()
        for form in forms:
            results = made[form]
            for call in sorted({name.partition("/")[0] for name in results}):
                name = form if call == form else f"{form}:{call}"
                probabilities = results[f"{call}/probabilities"].astype(np.float32)
                if call == runners.INT8:
                    report[name] = _differences((results[f"{call}/tag_ids"], probabilities), expected)
                    continue
                if f"{call}/tags" in results:
                    ids, written_ids, names = _number(results[f"{call}/tags"].tolist(), as_strings)
                    report[name] = compare(
                        name,
                        (ids, probabilities),
                        expected=(written_ids, expected[1]),
                        sentences=sentences,
                        tag_names=names,
                    )
                if f"{call}/tag_ids" in results:
                    report[name] = compare(
                        name,
                        (results[f"{call}/tag_ids"], probabilities),
                        expected=expected,
                        sentences=sentences,
                        tag_names=tag_names,
                    )
    return report


def _written_tags(
    tag_ids: np.ndarray, *, sentences: Sequence[Sequence[str]], tag_names: Sequence[str], spans: bool
) -> list[str]:
    """Return the tags, (N,), as the forms write them: in IOB2 if they encode spans."""
    names = [tag_names[i] for i in tag_ids]
    if not spans:
        return names
    written: list[str] = []
    for sentence in sentences:
        written += iob2_tags(names[len(written) : len(written) + len(sentence)])
    return written


def _number(received: list[str], expected: list[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return ids of both lists of tags, int (N,) each, -1 for an empty tag, and the names of the ids."""
    names = sorted({*received, *expected} - {""})
    ids = {name: i for i, name in enumerate(names)} | {"": -1}
    return np.array([ids[tag] for tag in received]), np.array([ids[tag] for tag in expected]), names


def run_forms(
    process: subprocess.Popen[str], forms: Mapping[str, Path], folder: Path
) -> dict[str, dict[str, np.ndarray]]:
    """Return the output of the forms' runners in a process of `started_runners`.

    Raises:
        SeqlabError: a runner failed; the message contains the end of its stderr.
    """
    arguments = [text for form, path in forms.items() for text in (form, str(path.resolve()))]
    _, stderr = process.communicate(json.dumps([str(folder), *arguments]) + "\n")
    outputs = {form: folder / f"{form}.npz" for form in forms}
    if process.returncode != 0:
        failed = next((form for form, output in outputs.items() if not output.exists()), list(forms)[-1])
        raise SeqlabError(
            f"the exported form {failed!r} cannot be run in a new process",
            where=str(forms[failed]),
            expected="exit status 0",
            received=f"exit status {process.returncode}\n{stderr.strip()[-2000:]}",
            remedy="see the error above; the previous export is kept",
        )
    results = {}
    for form, output in outputs.items():
        with np.load(output) as arrays:
            results[form] = dict(arrays)
    return results


def compare(
    name: str,
    received: tuple[np.ndarray, np.ndarray],
    *,
    expected: tuple[np.ndarray, np.ndarray],
    sentences: Sequence[Sequence[str]],
    tag_names: Sequence[str],
) -> dict[str, Any]:
    """Compare a form's tag ids and probabilities, both (N,), with the trained model's; ids of -1 are ignored.

    Raises:
        SeqlabError: a tag differs; the message shows the first one in its sentence.
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
            remedy="nothing was exported; the error is in the export, or in a layer that depends on padding",
        )
    return _differences(received, expected)


def _differences(
    received: tuple[np.ndarray, np.ndarray], expected: tuple[np.ndarray, np.ndarray]
) -> dict[str, Any]:
    compared = received[0] >= 0
    difference = np.abs(received[1] - expected[1])[compared]
    return {
        "tokens": int(compared.sum()),
        "differing_tags": int((received[0] != expected[0])[compared].sum()),
        "max_probability_difference": float(difference.max()) if len(difference) else 0.0,
    }
