"""How tagged text is printed: `text`, `conll`, `json` or `html`."""

from __future__ import annotations

import html
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.serving.tagging.exported_tagger import TaggedSpan, TaggedText

FORMATS = ("text", "conll", "json", "html")

_TERMINAL_COLOURS = (36, 33, 35, 32, 34, 31)
_PAGE_COLOURS = ("#7aecec", "#feca74", "#bfe1d9", "#c887fb", "#ff9561", "#9cc9cc", "#e4e7d2", "#ddd2f7")
_PAGE_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font-family: system-ui, sans-serif; line-height: 2.2; max-width: 60em; margin: 2em auto; padding: 0
1em }} mark {{ padding: .35em .5em; margin: 0 .2em; border-radius: .35em; line-height: 1 }} mark b {{
font-size: .7em; margin-left: .5em; vertical-align: middle }} .problem {{ color: #b00020; font-style: italic
}} </style></head><body>
"""
_PAGE_TAIL = "</body></html>\n"


@dataclass(frozen=True)
class TagFormat:
    """What is written before, for each line, for a line that could not be tagged, and after.

    Args:
        head: written first.
        line: a tagged line and its number to what is written, line ends included.
        problem: the same for a line that could not be tagged, so that no line of the output is missing.
        tail: written last.
    """

    line: Callable[[int, TaggedText], str]
    problem: Callable[[int, SeqlabError], str]
    head: str = ""
    tail: str = ""


def tag_format(name: str, *, colours: bool, title: str = "seqlab") -> TagFormat:
    """The format of that name.

    Args:
        name: one of `FORMATS`.
        colours: whether `text` is coloured, for a terminal.
        title: of the page, for `html`.
    """
    if name == "text":
        return TagFormat(
            line=lambda _, tagged: as_text(tagged, colours=colours) + "\n", problem=lambda *_: "\n"
        )
    if name == "conll":
        return TagFormat(line=lambda _, tagged: as_conll(tagged), problem=lambda *_: "")
    if name == "json":
        return TagFormat(
            line=lambda number, tagged: _json_line({"line": number, **as_dict(tagged)}),
            problem=lambda number, error: _json_line({"line": number, "error": error.what}),
        )
    if name == "html":
        return TagFormat(
            line=lambda _, tagged: f"<p>{as_html(tagged)}</p>\n",
            problem=lambda _, error: f'<p class="problem">{html.escape(error.what)}</p>\n',
            head=_PAGE_HEAD.format(title=html.escape(title)),
            tail=_PAGE_TAIL,
        )
    raise ValueError(f"format must be one of {', '.join(FORMATS)}, received {name!r}")


def as_text(tagged: TaggedText, *, colours: bool) -> str:
    """`[Marie Curie PER] was born`, or `Marie/PROPN Curie/PROPN was/AUX` where tags spell no spans."""
    forms = [token.text for token in tagged.tokens]
    if tagged.spans is None:
        return " ".join(
            f"{token.text}{_coloured('/' + token.tag, token.tag, colours)}" for token in tagged.tokens
        )
    parts: list[str] = []
    position = 0
    for span in tagged.spans:
        parts += forms[position : span.start]
        words = " ".join(forms[span.start : span.end])
        parts.append(_coloured(f"[{words} {span.entity_type}]", span.entity_type, colours))
        position = span.end
    return " ".join(parts + forms[position:])


def as_conll(tagged: TaggedText) -> str:
    """One `token<TAB>tag` line a token and an empty line; nothing for an empty line."""
    lines = [f"{token.text}\t{token.tag}\n" for token in tagged.tokens]
    return "".join([*lines, "\n"]) if lines else ""


def as_dict(tagged: TaggedText) -> dict[str, Any]:
    """Text, tokens and spans with their places in characters of the text, end exclusive."""
    return {
        "text": tagged.text,
        "tokens": [
            {**token._asdict(), "probability": round(token.probability, 6)} for token in tagged.tokens
        ],
        **({} if tagged.spans is None else {"spans": [_span_dict(tagged, span) for span in tagged.spans]}),
    }


def as_html(tagged: TaggedText) -> str:
    """The text with its entities marked; where tags spell no spans, with every token's tag."""
    spans = tagged.spans
    if spans is None:
        spans = [TaggedSpan(token.tag, i, i + 1) for i, token in enumerate(tagged.tokens)]
    parts: list[str] = []
    position = 0
    for span in spans:
        start, end = tagged.tokens[span.start].start, tagged.tokens[span.end - 1].end
        colour = _PAGE_COLOURS[_number(span.entity_type, len(_PAGE_COLOURS))]
        parts.append(html.escape(tagged.text[position:start]))
        parts.append(f'<mark style="background: {colour}">{html.escape(tagged.text[start:end])}')
        parts.append(f"<b>{html.escape(span.entity_type)}</b></mark>")
        position = end
    return "".join([*parts, html.escape(tagged.text[position:])])


def _span_dict(tagged: TaggedText, span: TaggedSpan) -> dict[str, Any]:
    start, end = tagged.tokens[span.start].start, tagged.tokens[span.end - 1].end
    return {
        "type": span.entity_type,
        "text": tagged.text[start:end],
        "start": start,
        "end": end,
        "start_token": span.start,
        "end_token": span.end,
    }


def _json_line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _coloured(text: str, name: str, colours: bool) -> str:
    if not colours:
        return text
    return f"\x1b[{_TERMINAL_COLOURS[_number(name, len(_TERMINAL_COLOURS))]}m{text}\x1b[0m"


def _number(name: str, below: int) -> int:
    """A number for a name, the same in every process."""
    return zlib.crc32(name.encode()) % below
