"""Keys and values as MLflow takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# The shortest limit of the servers in use; longer values are also unreadable in a table of runs.
LONGEST_PARAM = 500
LONGEST_TAG = 5000
LONGEST_KEY = 250

_FORBIDDEN = re.compile(r"[^\w\-. :/]", re.ASCII)


def safe_key(key: str) -> str:
    """A key that MLflow accepts, different for different keys.

    Forbidden characters become `_uXX_` with their code in hexadecimal (a tag named `$` gives
    `_u24_`), and so does a part between slashes that consists of dots, which MLflow takes for a folder.
    """
    parts = key.split("/")
    safe = "/".join(
        re.sub(r"\.", "_u2e_", part) if part and not part.strip(".") else _FORBIDDEN.sub(_code, part)
        for part in parts
    )
    if not all(parts) or len(safe) > LONGEST_KEY:
        raise ValueError(f"no key for MLflow (an empty part, or over {LONGEST_KEY} characters): {key!r}")
    return safe


def _code(match: re.Match[str]) -> str:
    return f"_u{ord(match.group()):02x}_"


def flatten(values: Mapping[str, Any], *, separator: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, with their keys joined: `{"a": {"b": 1}}` gives `("a.b", 1)`."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            for below, leaf in flatten(value, separator=separator):
                yield f"{key}{separator}{below}", leaf
        else:
            yield str(key), value


def param_text(value: Any) -> str:
    """A parameter as text: strings as they are, everything else as JSON (`true`, `null`, `[1, 2]`)."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def shorten(text: str, longest: int) -> str:
    """The text, or its beginning with its true length in characters if it is longer than `longest`."""
    if len(text) <= longest:
        return text
    ending = f"... ({len(text)} characters)"
    return text[: longest - len(ending)] + ending
