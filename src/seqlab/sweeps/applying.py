"""Writing a sweep's best values into params.yaml, whose comments and other lines stay as they are."""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqlab.atomic import replaced_file
from seqlab.errors import SeqlabError
from seqlab.params_file import parse_params_text
from seqlab.yaml_text import read_yaml_text, section_of

_WIDTH = 4096


def apply_values(path: Path, values: Mapping[str, Any]) -> list[str]:
    """Set parameters, by dotted name, in a params.yaml; return the changed lines, as a diff shows them.

    Raises:
        SeqlabError: the file is invalid, also with the values.
    """
    before = read_yaml_text(path)
    after = text_with(before, values, where=str(path))
    parse_params_text(after, where=f"{path} with the sweep's values")
    with replaced_file(path) as made:
        made.write_text(after, encoding="utf-8")
    return changed_lines(before, after)


def text_with(text: str, values: Mapping[str, Any], *, where: str) -> str:
    """Return the text of a params.yaml in which parameters, by dotted name, have other values.

    Raises:
        SeqlabError: the section of a parameter does not exist.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.Representer = _representer()
    yaml.preserve_quotes, yaml.width = True, _WIDTH
    content = yaml.load(text)
    for name, value in values.items():
        try:
            section, last = section_of(content, name)
        except KeyError:
            raise SeqlabError(
                "there is no such section", where=where, received=name, remedy="name an existing parameter"
            ) from None
        _put(section, last, value)
    buffer = io.StringIO()
    yaml.dump(content, buffer)
    return buffer.getvalue()


def _put(section: Any, name: str, value: Any) -> None:
    """Set a value; a mapping is changed key by key, so that the comments of its keys stay."""
    from ruamel.yaml.comments import CommentedSeq

    former = section.get(name)
    if isinstance(value, dict) and isinstance(former, dict):
        for key in [key for key in former if key not in value]:
            del former[key]
        for key, part in value.items():
            _put(former, key, part)
    elif former != value or type(former) is bool or type(value) is bool:
        if isinstance(value, list):
            value = CommentedSeq(value)
            value.fa.set_flow_style()
        section[name] = value


def _representer() -> Any:
    """Return a class that writes `null` where ruamel.yaml would write nothing."""
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        def represent_none(self, data: Any) -> Any:
            return self.represent_scalar("tag:yaml.org,2002:null", "null")

    Representer.add_representer(type(None), Representer.represent_none)
    return Representer


def changed_lines(before: str, after: str) -> list[str]:
    """Return the lines that were replaced or added, with their numbers."""
    old, new = before.splitlines(), after.splitlines()
    lines = []
    for kind, start, end, first, last in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind != "equal":
            lines += [f"{start + index + 1}: - {line}" for index, line in enumerate(old[start:end])]
            lines += [f"{first + index + 1}: + {line}" for index, line in enumerate(new[first:last])]
    return lines
