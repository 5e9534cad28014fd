"""Credentials removed from all text that leaves the program: messages, logs, tags and files."""

from __future__ import annotations

import base64
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "SEQLAB_CORPUS_MIRROR")
"""Environment variables whose values are addresses that may contain credentials."""

SECRETS = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "DATABRICKS_TOKEN",
    "DATABRICKS_CLIENT_SECRET",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
"""Environment variables whose values are secrets."""

HIDDEN = "***"

# A password may contain any character except white space, so the patterns extend to the last `@`.
_USER_INFO = re.compile(r"(?<=://)(?:[^\s/]*:\S{0,2000}|[^\s/]*)@")
_BARE_USER_INFO = re.compile(r"(?<![\w.+%/-])[\w.+%-]+:(?!/)\S{0,2000}@")
_SECRET_PARAMETER = re.compile(
    r"([?&;][\w.-]*(?:token|passw|pwd|secret|key|sig|credential|auth)[\w.-]*=)[^\s&;'\"]+", re.IGNORECASE
)
_AUTHORIZATION = re.compile(
    r"(authorization['\"]?\s*[:=]\s*(?:b?['\"])?(?:basic|bearer)?\s*)[^\s'\",]+", re.IGNORECASE
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SHORT = 6


def without_credentials(text: str) -> str:
    """Remove credentials from a text, such as an address, an error message or a traceback.

    `http://name:secret@host` becomes `http://host`, `name:secret@host` becomes `host`, and the values of
    query parameters such as `?token=` become `***`. So does every occurrence of a secret of the environment
    (`SECRETS`, and the secrets of `ADDRESSES`), alone, percent-encoded, or in Base64.
    """
    for secret in _environment_secrets():
        # A short secret may be part of a word.
        pattern = re.escape(secret) if len(secret) >= _SHORT else rf"(?<!\w){re.escape(secret)}(?!\w)"
        text = re.sub(pattern, HIDDEN, text)
    text = _BARE_USER_INFO.sub("", _USER_INFO.sub("", text))
    return _AUTHORIZATION.sub(rf"\1{HIDDEN}", _SECRET_PARAMETER.sub(rf"\1{HIDDEN}", text))


def remove_credentials(error: BaseException) -> None:
    """Apply `without_credentials` in place to an error, its notes, and the errors that caused it."""
    waiting, seen = [error], set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        current.args = tuple(_cleaned(arg) for arg in current.args)
        for name, value in list(vars(current).items()):
            if isinstance(value, BaseException):
                waiting.append(value)
            else:
                vars(current)[name] = _cleaned(value)
        if isinstance(current, OSError) and isinstance(current.filename, str):
            current.filename = without_credentials(current.filename)
        waiting += [arg for arg in current.args if isinstance(arg, BaseException)]
        waiting += [cause for cause in (current.__cause__, current.__context__) if cause is not None]


def protect_output() -> None:
    """Remove credentials from everything that this process logs, and from tracebacks of uncaught errors."""
    make_record = logging.getLogRecordFactory()

    def make_clean_record(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = make_record(*arguments, **options)
        message = record.getMessage()
        if (cleaned := without_credentials(message)) != message:
            record.msg, record.args = cleaned, ()
        if record.exc_info:
            # Formatters use this text instead of formatting the error.
            record.exc_text = without_credentials(logging.Formatter().formatException(record.exc_info))
        return record

    def write_traceback(
        kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lines = traceback.format_exception(kind, error, trace)
        sys.stderr.write(without_credentials("".join(lines)))

    logging.setLogRecordFactory(make_clean_record)
    sys.excepthook = write_traceback
    threading.excepthook = lambda raised: write_traceback(
        raised.exc_type, raised.exc_value, raised.exc_traceback
    )


def _cleaned(value: Any) -> Any:
    """Clean a string, the strings of a list or tuple, and objects whose text contains credentials."""
    if isinstance(value, str):
        return cleaned if (cleaned := without_credentials(value)) != value else value
    if isinstance(value, (list, tuple)):
        parts = type(value)(map(_cleaned, value)) if type(value) in (list, tuple) else value
        return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
    if isinstance(value, BaseException) or value is None or isinstance(value, (int, float)):
        return value
    text = str(value)
    return cleaned if (cleaned := without_credentials(text)) != text else value


def _environment_secrets() -> list[str]:
    """Return the secrets of the environment in each form in which they appear in messages, longest first."""
    secrets = {os.environ[name].strip() for name in SECRETS if name in os.environ}
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    pairs = {f"{user}:{secret}" for secret in secrets if secret}
    for name in ADDRESSES:
        for user_info in _user_info(os.environ.get(name, "")):
            pairs.add(user_info)
            user, colon, password = user_info.partition(":")
            # Without a password, the user name is a token.
            secrets.add(password if colon and password else user)
    # A parser may cut an invalid address at one of these characters.
    secrets |= {part for secret in secrets for part in re.split(r"[/?#@:\[\]]", secret) if len(part) >= 4}
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), unquote(secret))}
    forms |= {base64.b64encode(form.encode()).decode() for pair in pairs for form in (pair, unquote(pair))}
    forms |= {repr(form)[1:-1] for form in forms}
    return sorted((form for form in forms if form.strip()), key=lambda form: (-len(form), form))


def _user_info(address: str) -> Iterator[str]:
    """Yield `user:password` of an address, if it has any. Without a scheme, a user alone does not count."""
    address = address.strip()
    scheme = _SCHEME.match(address)
    user_info, at, _ = address[scheme.end() if scheme else 0 :].rpartition("@")
    # A path may contain `@`; a password may contain `/`.
    host = user_info.partition("/")[0]
    is_file = address.lower().startswith(("sqlite:/", "file:/"))
    if at and not is_file and (":" in host or (scheme and host == user_info)):
        yield user_info
