from __future__ import annotations

import traceback

import pytest
import requests

from seqlab.credentials import remove_credentials, without_credentials
from seqlab.tracking.client import root_cause


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("http://name:secret@host:5000/prefix", "http://host:5000/prefix"),
        ("http://secret@host", "http://host"),
        ("HTTP://name:secret@host", "HTTP://host"),
        ("name:secret@host:5000", "host:5000"),
        ("http://host:5000/?token=secret&page=2", "http://host:5000/?token=***&page=2"),
        ("postgresql://u:secr@et@db/x?password=secret", "postgresql://db/x?password=***"),
        ("http://u:sec/ret@host", "http://host"),
        ("request to 'http://u:secret@host/api' failed: no 'u:secret@host'", None),
        ("url: /api/2.0/runs?access_token=secret (Caused by http://u:secret@host)", None),
    ],
)
def test_credentials_are_removed(text: str, clean: str | None) -> None:
    result = without_credentials(text)
    assert "secret" not in result
    assert "secr@et" not in result
    if clean is not None:
        assert result == clean


@pytest.mark.parametrize(
    "text",
    [
        "http://host:5000",
        "sqlite:////a/b@c:d.db",
        "models:/seqlab-ner@champion",
        "dvc repro prepare@ner: no such stage",
        "corpora/a.py:17: error in b@c",
    ],
)
def test_text_without_credentials_is_unchanged(text: str) -> None:
    assert without_credentials(text) == text


def test_credentials_are_removed_from_a_chain_of_errors() -> None:
    from mlflow.exceptions import MlflowException

    address = "http://name:secret@host"
    error = MlflowException(f"API request to {address} failed")
    error.__cause__ = requests.ConnectionError(ValueError(f"no {address}"))
    remove_credentials(error)
    text = "".join(traceback.format_exception(error)) + error.message + root_cause(error)
    assert "http://host failed" in text
    assert "secret" not in text
