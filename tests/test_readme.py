"""The links, commands and parameters in README.md, CONTRIBUTING.md and docs exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from seqlab.cli import COMMANDS

REPOSITORY = Path(__file__).parents[1]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]


@pytest.mark.parametrize("name", ["parameters", "commands", "api"])
def test_a_generated_page_is_up_to_date(name):
    script_name = f"docs/make_{name}.py"
    spec = importlib.util.spec_from_file_location(f"make_{name}", REPOSITORY / script_name)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (REPOSITORY / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert page == script.render(), f"run: python {script_name}"
    assert re.findall(r"^[^|\n].*\|$", page, re.M) == [], "a row of a table is broken into lines"
    assert [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


def test_the_page_of_commands_has_every_command():
    page = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    assert re.findall(r"^## `seqlab (\w+)`$", page, re.M) == list(COMMANDS)
    assert "| `--best` |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_exist(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page):
    text = page.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) + re.findall(r"`([^`\n]+)`", text))
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert [t for t in re.findall(r"\bmake ([a-z]+)", code) if f"\n{t}:" not in makefile] == []
    assert set(re.findall(r"\bseqlab ([a-z]+)\b(?!\.)", code)) <= set(COMMANDS)
    assert [b for b in re.findall(r"benchmarks/\w+\.py", text) if not (REPOSITORY / b).exists()] == []
