"""What the README and the docs say is there, is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from seqlab.cli import COMMANDS

REPOSITORY = Path(__file__).parents[1]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]


def leaves(section, prefix=""):
    for name, value in section.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_the_readme_names_every_parameter_with_its_default():
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    table = dict(
        re.findall(
            r"^\| `([^`]+)` \| `([^`]*)` \|", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.M
        )
    )
    expected = {}
    for name in leaves(params):
        if not name.startswith("pos."):
            value = params
            for part in name.split("."):
                value = value[part]
            expected[re.sub(r"^ner\.", "<task>.", name)] = value
    named = {name: yaml.safe_load(text) for name, text in table.items() if name != "pos"}
    assert named == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
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
