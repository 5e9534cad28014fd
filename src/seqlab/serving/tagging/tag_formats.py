"""Output formats of tagged text: `text`, `conll`, `json` and `html`."""

from __future__ import annotations

import html
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seqlab.serving.tagging.tagged_text import TaggedSpan, TaggedText
from seqlab.serving.tagging.text_lines import TextLine

FORMATS = ("text", "conll", "json", "html")

_TERMINAL_COLOURS = (36, 33, 35, 32, 34, 31)
_PAGE_COLOURS = ("#7aecec", "#feca74", "#bfe1d9", "#c887fb", "#ff9561", "#9cc9cc", "#e4e7d2", "#ddd2f7")
_PAGE_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font-family: system-ui, sans-serif; line-height: 2.2; max-width: 60em; margin: 2em auto }}
mark {{ padding: .35em .5em; margin: 0 .2em; border-radius: .35em; line-height: 1 }}
mark b {{ font-size: .7em; margin-left: .5em; vertical-align: middle }}
.problem {{ color: #b00020; font-style: italic }}
</style></head><body>
"""
_PAGE_TAIL = "</body></html>\n"


@dataclass(frozen=True)
class TagFormat:
    """How to write a file of tagged lines.

    Args:
        line: formats a line and its tags, line ends included. Every line has a place in the output, also an
            empty one.
        problem: formats a line that cannot be tagged.
        head: written first.
        tail: written last.
    """

    line: Callable[[TextLine, TaggedText], str]
    problem: Callable[[TextLine], str]
    head: str = ""
    tail: str = ""


def tag_format(name: str, *, colours: bool, title: str = "seqlab") -> TagFormat:
    """Return the format of that name.

    Args:
        name: one of `FORMATS`.
        colours: whether to colour `text`, for terminals.
        title: the title of the page, for `html`.
    """
    if name == "text":
        return TagFormat(lambda _, tagged: _as_text(tagged, colours=colours) + "\n", lambda *_: "\n")
    if name == "conll":
        return TagFormat(lambda _, tagged: _as_conll(tagged), lambda line: f"# error: {_problem(line)}\n\n")
    if name == "json":
        return TagFormat(
            line=lambda line, tagged: _json_line({**_place(line), **as_dict(tagged)}),
            problem=lambda line: _json_line({**_place(line), "error": _problem(line)}),
        )
    if name == "html":
        return TagFormat(
            line=lambda _, tagged: f"<p>{as_html(tagged)}</p>\n",
            problem=lambda line: f'<p class="problem">{html.escape(_problem(line))}</p>\n',
            head=_PAGE_HEAD.format(title=html.escape(title)),
            tail=_PAGE_TAIL,
        )
    raise ValueError(f"format must be one of {', '.join(FORMATS)}, received {name!r}")


def _as_text(tagged: TaggedText, *, colours: bool) -> str:
    """Return `[Marie Curie PER] was born`, or `Marie/PROPN Curie/PROPN was/AUX` without spans."""

    def coloured(text: str, name: str) -> str:
        return f"\x1b[{_choice(name, _TERMINAL_COLOURS)}m{text}\x1b[0m" if colours else text

    if tagged.spans is None:
        return " ".join(f"{token.text}{coloured('/' + token.tag, token.tag)}" for token in tagged.tokens)
    forms = [token.text for token in tagged.tokens]
    for span in reversed(tagged.spans):
        words = " ".join(forms[span.start_token : span.end_token])
        forms[span.start_token : span.end_token] = [
            coloured(f"[{words} {span.entity_type}]", span.entity_type)
        ]
    return " ".join(forms)


def _as_conll(tagged: TaggedText) -> str:
    """Return one `token<TAB>tag` line per token and an empty line, which stands alone for an empty text."""
    return "".join([*(f"{token.text}\t{token.tag}\n" for token in tagged.tokens), "\n"])


def as_dict(tagged: TaggedText) -> dict[str, Any]:
    """Return the text, its tokens and, if tags encode spans, its spans, with offsets in characters."""
    tokens = [{**token._asdict(), "probability": round(token.probability, 6)} for token in tagged.tokens]
    result: dict[str, Any] = {"text": tagged.text, "tokens": tokens}
    if tagged.spans is not None:
        names = ("type", *TaggedSpan._fields[1:])
        result["spans"] = [dict(zip(names, span, strict=True)) for span in tagged.spans]
    return result


def as_html(tagged: TaggedText) -> str:
    """Return the text with its entities marked; without spans, every token is marked with its tag."""
    marked = [(span.entity_type, span.start, span.end) for span in tagged.spans or ()]
    if tagged.spans is None:
        marked = [(token.tag, token.start, token.end) for token in tagged.tokens]
    parts: list[str] = []
    position = 0
    for name, start, end in marked:
        parts.append(html.escape(tagged.text[position:start]))
        parts.append(f'<mark style="background: {_choice(name, _PAGE_COLOURS)}">')
        parts.append(f"{html.escape(tagged.text[start:end])}<b>{html.escape(name)}</b></mark>")
        position = end
    return "".join([*parts, html.escape(tagged.text[position:])])


def _place(line: TextLine) -> dict[str, Any]:
    return {"file": line.file, "line": line.number}


def _problem(line: TextLine) -> str:
    return line.problem.what if line.problem else ""


def _json_line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _choice(name: str, colours: Sequence[Any]) -> Any:
    """Return a colour for a name, the same one in every process."""
    return colours[zlib.crc32(name.encode()) % len(colours)]
