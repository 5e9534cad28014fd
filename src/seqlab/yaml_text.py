"""Plain YAML, read as DVC reads it: its text, its lines, and values by dotted names."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from seqlab.errors import SeqlabError


class _Loader(yaml.SafeLoader):
    """YAML without duplicate keys, in which `1e-3` is a number, as for DVC."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        found: set[Any] = set()
        for key, _ in node.value:
            if key.value in found:
                mark = key.start_mark
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} occurs twice", mark
                )
            found.add(key.value)
        return node


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+"), list("-+0123456789")
)


def read_yaml_text(path: Path) -> str:
    """Return the text of a params.yaml.

    Raises:
        SeqlabError: the file is missing or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SeqlabError(
            "the file does not exist", where=str(path), remedy="run from the repository's root"
        ) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise SeqlabError(
            "not UTF-8",
            where=f"{path}:{line}",
            received=f"byte 0x{error.object[error.start]:02X}",
            remedy=f"if the file is in Latin-1, convert it: iconv -f ISO-8859-1 -t UTF-8 {path}",
        ) from None


def parse_yaml(text: str, *, where: str) -> Any:
    """Return the plain values of a YAML text, read as DVC reads it; a key must not occur twice.

    Raises:
        SeqlabError: the text is not YAML.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise SeqlabError("not YAML", where=place, received=str(getattr(error, "problem", error))) from None


def yaml_lines(text: str) -> dict[tuple[str | int, ...], int]:
    """Return the line (from 1) of every key and list item of a valid YAML text, by its path."""
    lines: dict[tuple[str | int, ...], int] = {}

    def visit(node: yaml.Node | None, path: tuple[str | int, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                lines[*path, key.value] = key.start_mark.line + 1
                visit(value, (*path, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                lines[*path, number] = item.start_mark.line + 1
                visit(item, (*path, number))

    visit(yaml.compose(text, _Loader), ())
    return lines


def with_values(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the plain values of params.yaml with parameters, by dotted name, changed.

    Raises:
        KeyError: the section of a parameter does not exist; its argument is the parameter's name.
    """
    changed = copy.deepcopy(values)
    for name, value in changes.items():
        section, last = section_of(changed, name)
        section[last] = copy.deepcopy(value)
    return changed


def section_of(values: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """Return the section of a parameter, by dotted name, in plain values of params.yaml, and its key there.

    Raises:
        KeyError: there is no such section; the argument is `name`.
    """
    *sections, last = name.split(".")
    section: Any = values
    for part in sections:
        section = section.get(part) if isinstance(section, dict) else None
    if not isinstance(section, dict):
        raise KeyError(name)
    return section, last
