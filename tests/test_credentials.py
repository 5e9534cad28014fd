from __future__ import annotations

import base64
import io
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import requests
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from seqlab import credentials
from seqlab.credentials import protect_output, remove_credentials, without_credentials
from seqlab.tracking.client import root_cause


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*credentials.ADDRESSES, *credentials.SECRETS, "MLFLOW_TRACKING_USERNAME"):
        monkeypatch.delenv(name, raising=False)


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


# Any characters but those that end an address in a text, and the sign that replaces secrets.
passwords = st.text(
    st.characters(
        min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("Cc", "Zs"), exclude_characters="*"
    ),
    min_size=6,
    max_size=24,
)
users = st.text("abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=12)
around = st.sampled_from(
    ["{}", "cannot reach {}", "url: {}/api/2.0 (Caused by '{}')", "a\n{}:\n\tb", "['{}']"]
)


def encoded(password: str) -> str:
    return quote(password, safe="")


@settings(deadline=None)
@given(
    password=passwords,
    user=users,
    around=around,
    scheme=st.sampled_from(["http", "HTTP", "postgresql", "databricks"]),
)
def test_no_address_in_a_text_shows_a_password(password: str, user: str, around: str, scheme: str) -> None:
    assume(password not in f"{scheme}://{user}:@host:5000/path?token=")
    for text in (
        f"{scheme}://{user}:{password}@host:5000",
        f"{scheme}://{user}:{encoded(password)}@host:5000",
        f"{scheme}://{encoded(password)}@host",
        f"{user}:{encoded(password)}@host",
        f"{scheme}://host:5000/path?token={encoded(password)}",
        f"Authorization: Bearer {encoded(password)}",
    ):
        shown = without_credentials(around.format(text, text))
        assert password not in shown
        assert encoded(password) not in shown
        assert "host" in shown or "Authorization" in shown


FORMS = [
    "{secret}",
    "host='{secret}'",
    "Failed to parse: {user}:{secret}@",
    "nonnumeric port: '{secret}@host'",
    "user {user}:{quoted}",
    "Basic {basic}",
    "{secret!r}",
]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(password=passwords, user=users)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLFLOW_TRACKING_URI", "http://{user}:{quoted}@host:5000"),
        ("MLFLOW_TRACKING_URI", "HTTP://{user}:{secret}@host:5000"),
        ("MLFLOW_TRACKING_URI", "{user}:{secret}@host:5000"),
        ("MLFLOW_TRACKING_URI", "databricks://{quoted}@host"),
        ("SEQLAB_CORPUS_MIRROR", "https://{user}:{quoted}@host/corpora"),
        ("MLFLOW_TRACKING_PASSWORD", "{secret}"),
        ("MLFLOW_TRACKING_TOKEN", "{secret}"),
    ],
)
def test_no_text_shows_a_secret_of_the_environment(
    name: str, value: str, password: str, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    parts = {"secret": password, "user": user, "quoted": encoded(password), "basic": basic}
    with monkeypatch.context() as patch:
        patch.setenv(name, value.format(**parts))
        patch.setenv("MLFLOW_TRACKING_USERNAME", user)
        for form in FORMS:
            shown = without_credentials(form.format(**parts))
            for secret in (password, encoded(password), *([basic] if "user" in value else [])):
                assert secret not in shown


def test_a_short_secret_is_removed_only_as_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "it")
    assert without_credentials("with 'it' and u:it.") == "with '***' and u:***."


def test_an_empty_variable_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////home/a:b@c/mlflow.db")
    assert without_credentials("sqlite:////home/x") == "sqlite:////home/x"


def test_notes_attributes_and_both_causes_of_an_error_are_cleaned() -> None:
    error = RuntimeError("outer")
    error.add_note("see http://name:secret@host")
    error.__cause__ = ValueError(("http://name:secret@host", 5))
    error.__context__ = OSError(2, "No such file", "http://name:secret@host/file")
    error.__context__.__context__ = error
    error.reason = ConnectionError("http://name:secret@host")  # type: ignore[attr-defined]
    remove_credentials(error)
    shown = [*traceback.format_exception(error), str(error.__context__), str(error.reason)]  # type: ignore[attr-defined]
    assert "secret" not in "".join(shown)
    assert error.__cause__.args == (("http://host", 5),)


@pytest.fixture
def protected() -> Iterator[None]:
    factory, hook = logging.getLogRecordFactory(), sys.excepthook
    protect_output()
    yield
    logging.setLogRecordFactory(factory)
    sys.excepthook = hook


def test_log_records_of_every_library_are_cleaned(protected: None) -> None:
    stream = io.StringIO()
    logger = logging.getLogger("urllib3.test")
    logger.addHandler(handler := logging.StreamHandler(stream))
    try:
        raise ValueError("http://name:secret@host")
    except ValueError as error:
        logger.warning("retrying %s", "http://name:secret@host", exc_info=error)
    logger.warning("%d retries left", 3)
    logger.removeHandler(handler)
    text = stream.getvalue()
    assert "retrying http://host" in text
    assert "ValueError: http://host" in text
    assert "3 retries left" in text
    assert "secret" not in text


@pytest.mark.parametrize("place", ["fail()", "t = threading.Thread(target=fail); t.start(); t.join()"])
def test_the_traceback_of_an_uncaught_error_is_cleaned(place: str) -> None:
    code = f"""
import threading
from seqlab.credentials import protect_output
def fail():
    try:
        raise KeyError("http://name:s3cr3t@host")
    except KeyError as error:
        raise RuntimeError("no answer from http://name:s3cr3t@host") from error
protect_output()
{place}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert "RuntimeError: no answer from http://host" in done.stderr
    assert "direct cause" in done.stderr
    # The lines of this test's code are not read from a file, so they are not shown.
    assert "s3cr3t" not in done.stderr
