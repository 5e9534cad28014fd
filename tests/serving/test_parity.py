from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_taggers import TOKENS, WINDOW, tiny_export, tiny_tagger

from seqlab.errors import SeqlabError
from seqlab.serving import parity, runners
from seqlab.serving.parity import check_parity, compare, run_forms, started_runners
from seqlab.serving.reference import make_batches, tag_batches

SENTENCES = [["a", "b"], ["c"]]
EXPECTED = np.array([2, 3, 2]), np.array([0.5, 0.6, 0.7])
NAMES = ["<pad>", "<unk>", "O", "B-PER"]


def compare_with(tag_ids: list[int], probabilities: list[float]) -> dict[str, float]:
    return compare(
        "onnx",
        (np.array(tag_ids), np.array(probabilities)),
        expected=EXPECTED,
        sentences=SENTENCES,
        tag_names=NAMES,
    )


def test_the_largest_difference_is_reported() -> None:
    report = compare_with([2, 3, 2], [0.5, 0.5, 0.7])
    assert report == {
        "tokens": 3,
        "differing_tags": 0,
        "max_probability_difference": pytest.approx(0.1),
    }


def test_sentences_split_into_other_tokens_are_not_compared() -> None:
    report = compare_with([-1, -1, 2], [0.0, 0.0, 0.7])
    assert (report["tokens"], report["max_probability_difference"]) == (1, 0.0)


def test_a_differing_tag_raises_and_is_shown() -> None:
    with pytest.raises(SeqlabError) as caught:
        compare_with([2, 3, 3], [0.5, 0.6, 0.4])
    assert str(caught.value).splitlines()[:3] == [
        "export, onnx: 1 of 3 tags differ from the trained model's",
        "  expected: O (probability 0.700000)",
        "  received: B-PER (probability 0.400000) for token 1, 'c', of 'c'",
    ]


def test_tags_as_strings_are_compared_in_iob2(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(tags: list[str]) -> dict[str, dict[str, float]]:
        results = {"pyfunc/tags": np.array(tags), "pyfunc/probabilities": EXPECTED[1]}
        monkeypatch.setattr(parity, "run_forms", lambda *_, **__: {"pyfunc": results})
        return check_parity(
            {"pyfunc": Path("folder")},
            processes={("pyfunc",): None},
            sentences=SENTENCES,
            batches=[],
            window=WINDOW,
            expected=(np.array([3, 4, 5]), EXPECTED[1]),
            tag_names=["<pad>", "<unk>", "O", "B-PER", "E-PER", "S-PER"],
            spans=True,
        )

    assert check(["B-PER", "I-PER", "B-PER"])["pyfunc"]["tokens"] == 3
    assert check(["B-PER", "I-PER", ""])["pyfunc"]["tokens"] == 2
    with pytest.raises(SeqlabError, match=r"pyfunc: 1 of 3 tags differ[\s\S]*I-PER[\s\S]*received: E-PER"):
        check(["B-PER", "E-PER", "B-PER"])


def test_a_form_that_cannot_run_raises_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "PROCESSES", (("onnx",),))
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with (
        started_runners() as processes,
        pytest.raises(SeqlabError, match=r"'onnx' cannot be run in a new process[\s\S]*exit status 1"),
    ):
        run_forms(processes[("onnx",)], {"onnx": tmp_path / "model.onnx"}, tmp_path)


@pytest.mark.parametrize("kind", ["ner", "pos"])
def test_every_form_agrees(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ONNX forms run in new processes, the SavedModel here; test_dag.py runs it in a new process, too."""

    def run(process: Any, forms: dict[str, Path], folder: Path) -> dict[str, dict[str, np.ndarray]]:
        if "saved_model" not in forms:
            return run_forms(process, forms, folder)
        runners.main(str(folder), "saved_model", str(forms["saved_model"]))
        with np.load(folder / "saved_model.npz") as results:
            return {"saved_model": dict(results)}

    monkeypatch.setattr(parity, "run_forms", run)
    tiny, export = tiny_tagger(kind), tiny_export(kind)
    sentences = [*TOKENS, ["a token", "with", "blanks"]]
    batches = make_batches(sentences, encoder=tiny.encoder)
    monkeypatch.setattr(runners, "PROCESSES", (("onnx",), ("tag",)))
    with started_runners() as processes:
        report = check_parity(
            {"saved_model": export, "onnx": export / "model.onnx", "tag": export},
            processes={("saved_model",): None, **processes},
            sentences=sentences,
            batches=batches,
            window=WINDOW,
            expected=tag_batches(tiny.tagger, batches, **WINDOW),
            tag_names=tiny.tags.entries,
            spans=tiny.spans,
        )
    tokens = sum(map(len, sentences))
    # If tokens are joined by blanks, a token that contains a blank becomes two.
    assert {name: row["tokens"] for name, row in report.items()} == {
        "saved_model:ids": tokens,
        "saved_model:ragged": tokens,
        "saved_model:serving_default": tokens - 3,
        "saved_model:text": tokens - 3,
        "saved_model:tokens": tokens,
        "onnx": tokens,
        "tag:int8": tokens,
        "tag:text": tokens - 3,
        "tag:tokens": tokens,
    }
    # Quantised weights round, so their tags and probabilities may differ.
    assert report.pop("tag:int8")["max_probability_difference"] > 1e-5
    assert all(row["max_probability_difference"] < 1e-5 for row in report.values())
    json.dumps(report)
