"""Write docs/api.md from the signatures and docstrings of `seqlab` and `seqlab.layers`.

python docs/make_api.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

import seqlab
import seqlab.layers

PAGE = Path(__file__).with_name("api.md")
HEAD = """# Python reference

All names of `seqlab` and `seqlab.layers`, in alphabetical order. [python.md](python.md) introduces them with examples. This page is generated
by `docs/make_api.py`.
"""
SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")


def render() -> str:
    """Return the page's text."""
    lines = [HEAD]
    for module in (seqlab, seqlab.layers):
        lines += [f"## `{module.__name__}`", ""]
        for name, value in _members(module):
            lines += [f"### `{module.__name__}.{name}`", "", *_entry(name, value)]
            if inspect.isclass(value):
                for method, function in _methods(value):
                    lines += [f"#### `{name}.{method}`", "", *_entry(method, function)]
    return "\n".join(lines).rstrip() + "\n"


def _members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name in sorted(module.__all__, key=str.lower):
        if name.isidentifier() and not name.startswith("_"):
            yield name, getattr(module, name)


def _methods(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the documented methods and properties of a class that are part of its use."""
    for name, value in vars(owner).items():
        value = getattr(value, "__func__", value)
        used = inspect.isfunction(value) or isinstance(value, property)
        if used and value.__doc__ and not name.startswith("_"):
            yield name, value


def _entry(name: str, value: Any) -> list[str]:
    return ["```python", _signature(name, value), "```", "", *_markdown(inspect.getdoc(value) or ""), ""]


def _signature(name: str, value: Any) -> str:
    """Return the call with its types, on one line if it is short."""
    if inspect.isclass(value) and issubclass(value, BaseModel):
        return f"class {name}  # its fields are the parameters: see parameters.md"
    if isinstance(value, property):
        return name + _unquoted(f" -> {inspect.signature(value.fget).return_annotation}").replace(" ->", ":")
    # Before Python 3.11.4, `inspect` prefers `Layer.__new__(*args, **kwargs)` to the constructor; a tuple has none.
    has_constructor = inspect.isclass(value) and value.__init__ is not object.__init__
    signature = inspect.signature(value.__init__ if has_constructor else value)
    parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    parts = [_unquoted(str(parameter)) for parameter in parameters]
    returned = ""
    if signature.return_annotation is not inspect.Signature.empty and not inspect.isclass(value):
        returned = _unquoted(f" -> {signature.return_annotation}")
    kinds = [parameter.kind for parameter in parameters]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        parts.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    line = f"{name}({', '.join(parts)}){returned}"
    if len(line) <= 100:
        return line
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returned}"


def _unquoted(text: str) -> str:
    """Remove the quotes of postponed annotations, but not those of default values."""
    text = re.sub(r"ForwardRef\('([^']*)'\)", r"\1", text)
    return re.sub(r"^(\**\w+: |\s*-> )'([^']*)'", r"\1\2", text)


def _markdown(docstring: str) -> list[str]:
    """Return a docstring as Markdown, its sections as lists."""
    lines, in_section = [], False
    for line in docstring.splitlines():
        if line.rstrip(":") in SECTIONS and line.endswith(":"):
            in_section = True
            lines += [f"*{ {'Args': 'Arguments'}.get(line[:-1], line[:-1]) }*", ""]
        elif in_section and line.startswith("    "):
            item = re.match(r"    (\**\w+)( \([^)]*\))?: (.*)", line)
            if item:
                lines.append(f"- `{item[1]}`{item[2] or ''}: {item[3]}")
            else:
                lines.append("  " * lines[-1].startswith(("- ", "  ")) + line.strip())
        else:
            in_section = in_section and not line
            lines.append(line.replace("::", ":") if line.endswith("::") else line)
    return lines


if __name__ == "__main__":
    main()
