from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from seqlab.errors import SeqlabError
from seqlab.serving.mlflow_model import save_mlflow_model, text_signature
from seqlab.tracking.client import SETTINGS


def save_fake_tagger(folder: Path) -> None:
    """Write a SavedModel with the signature `text` that tags every token as a person."""
    import tensorflow as tf

    tagger = tf.Module()

    def text(texts: Any) -> dict[str, Any]:
        tokens = tf.strings.split(texts)
        dense = tokens.to_tensor("")
        mask = dense != ""
        lengths = tf.strings.length(dense, unit="UTF8_CHAR")
        ends = tf.cumsum(lengths + 1, axis=1) - 1
        return {
            "tokens": dense,
            "tags": tf.where(mask, "S-PER", ""),
            "probabilities": tf.where(mask, 0.5, 0.0),
            "mask": mask,
            "token_starts": tf.where(mask, ends - lengths, -1),
            "token_ends": tf.where(mask, ends, -1),
            "span_types": tf.where(mask, "PER", ""),
            "span_starts": tf.where(mask, tf.range(tf.shape(dense)[1])[None], -1),
            "span_ends": tf.where(mask, tf.range(tf.shape(dense)[1])[None] + 1, -1),
        }

    tagger.text = tf.function(text, input_signature=[tf.TensorSpec((None,), tf.string, "texts")])
    tf.saved_model.save(tagger, str(folder), signatures={"text": tagger.text})


EXPECTED = [
    {
        "tokens": ["Zoë", "Lee"],
        "tags": ["S-PER", "S-PER"],
        "probabilities": [0.5, 0.5],
        "starts": [0, 4],
        "ends": [3, 7],
        "spans": [
            {"type": "PER", "text": "Zoë", "start": 0, "end": 3},
            {"type": "PER", "text": "Lee", "start": 4, "end": 7},
        ],
    },
    {"tokens": [], "tags": [], "probabilities": [], "starts": [], "ends": [], "spans": []},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagger")
    save_fake_tagger(folder / "export")
    save_mlflow_model(folder / "export", folder / "model", spans=True, metadata={"task": "ner"}, run_id="r1")
    return folder / "model"


def test_the_model_declares_its_signature_and_requirements(model: Path) -> None:
    from mlflow.models import Model

    saved = Model.load(str(model))
    assert (saved.run_id, saved.metadata) == ("r1", {"task": "ner"})
    assert saved.signature == text_signature(spans=True)
    assert [column["type"] for column in saved.signature.inputs.to_dict()] == ["string"]
    assert "spans" in saved.signature.outputs.input_names()
    assert "spans" not in text_signature(spans=False).outputs.input_names()
    requirements = (model / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in requirements] == ["tensorflow", "numpy", "mlflow"]
    assert "Warsaw" in (model / "input_example.json").read_text()


def test_mlflow_serves_strings_and_tables_without_seqlab(model: Path, free_port: int, tmp_path: Path) -> None:
    (tmp_path / "seqlab.py").write_text("raise ImportError('the model must not import seqlab')")
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(free_port)]
    environment = {**SETTINGS, **os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": str(tmp_path)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    server = subprocess.Popen(
        command, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        for body in (
            {"inputs": ["Zoë Lee", ""]},
            {"dataframe_split": {"columns": ["t"], "data": [["Zoë Lee"], [""]]}},
        ):
            answer = ask(
                f"http://127.0.0.1:{free_port}/invocations", body, server, until=time.monotonic() + 180
            )
            assert answer["predictions"] == EXPECTED
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=60)


def ask(url: str, body: dict[str, Any], server: subprocess.Popen[str], *, until: float) -> dict[str, Any]:
    """Post JSON, and try again while the server starts."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except OSError:
            assert server.poll() is None, server.stdout and server.stdout.read()
            assert time.monotonic() < until, "the server did not start in time"
            time.sleep(0.5)


def test_a_folder_without_a_saved_model_raises(tmp_path: Path) -> None:
    with pytest.raises(SeqlabError, match=r"there is no SavedModel to log[\s\S]*run the export stage"):
        save_mlflow_model(tmp_path, tmp_path / "model", spans=True, metadata={})
