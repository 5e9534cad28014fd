"""What import-linter cannot see: which libraries a room loads when it is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("seqlab.corpora.own_files", ("tensorflow", "keras", "mlflow", "tensorflow_datasets")),
        ("seqlab.corpora.sources", ("tensorflow", "keras", "mlflow", "tensorflow_datasets")),
        ("seqlab.text.text_tokenizer", ("tensorflow", "keras", "mlflow", "seqlab.corpus")),
        ("seqlab.conversion.converting", ("tensorflow", "keras", "mlflow", "pyarrow", "spacy")),
        ("seqlab.batching.gathering", ("tensorflow", "keras", "mlflow")),
        ("seqlab.evaluation.scores", ("tensorflow", "keras", "mlflow", "matplotlib")),
        ("seqlab.pipeline.preparing", ("tensorflow", "keras", "mlflow")),
        ("seqlab.pipeline.record", ("tensorflow", "keras")),
        ("seqlab.pipeline.stored_results", ("tensorflow", "keras", "mlflow", "dvc")),
        ("seqlab.api", ("tensorflow", "keras", "mlflow")),
        ("seqlab.cli", ("tensorflow", "keras", "mlflow")),
        ("seqlab.serving.folders.workers", ("tensorflow", "keras", "mlflow", "onnx", "ray")),
        ("seqlab.serving.tagging.exported_tagger", ("tensorflow", "keras", "mlflow", "onnx")),
    ],
)
def test_importing_a_room_does_not_load_what_it_does_not_need(module, unwanted):
    code = f"import sys, {module}; print(*(set(sys.modules) & {set(unwanted)!r}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert loaded.stdout.split() == []
