"""The snippets of docs/masks.md run unchanged, in order, in one namespace."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "masks.md"
SECTIONS = [
    "Error messages and what they mean",
    "Three ways to give a mask",
    "How it travels",
    "The four kinds of layers",
    "Finding a lost mask",
    "The loss",
    "What graph mode forbids",
    "What dropping the remainder does, and what it does not",
    "What cuDNN requires",
    "What survives saving",
]


def snippets(page: str) -> list[tuple[int, str]]:
    """Return each Python snippet with the number of its first line."""
    found = re.finditer(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [(page.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in found]


def test_every_section_has_a_snippet_that_asserts():
    page = PAGE.read_text("utf-8")
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    assert list(sections) == SECTIONS
    for title, text in sections.items():
        assert any("assert " in code for _, code in snippets(text)), title


def test_snippets_run():
    names = {"__name__": "masks"}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*does not support masking.*")
        for line, code in snippets(PAGE.read_text("utf-8")):
            # Empty lines before the code make line numbers in tracebacks match the page.
            exec(compile("\n" * (line - 1) + code, str(PAGE), "exec"), names)
    assert "served" in names
