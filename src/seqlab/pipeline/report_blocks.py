"""A report as blocks, written to the terminal, as Markdown, or as an HTML page without other files."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

WIDTH = 120

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #8886; text-align: left; vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.warning { border-left: 4px solid #d60; padding-left: .75rem; font-weight: 600; }
figure { margin: 1rem 0; padding: .5rem 1rem; border: 1px solid #8886; border-radius: 6px; }
figcaption { opacity: .75; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: .5rem 0 0; }
dd { margin: 0; }
"""


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the report's title."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, or a warning."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the columns `numbers` are aligned on the right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()


@dataclass(frozen=True)
class Example:
    """A sentence of a corpus, with what gold and each result have in it."""

    title: str
    sentence: str
    lines: Sequence[tuple[str, str]]


Block = Heading | Paragraph | Table | Example


_PADDING = 3
"""Characters between two columns of a table in the terminal."""

_NARROW = 6
"""Characters of a column of numbers, at least, if the table does not fit."""


def print_blocks(blocks: Sequence[Block], console: Console) -> None:
    """Print blocks, at most 120 columns wide."""
    for block in blocks:
        match block:
            case Heading(text):
                console.print(Text(f"\n{text}", style="bold"))
            case Paragraph(text, warning):
                console.print(Text(text, style="bold yellow" if warning else ""))
            case Table():
                console.print(_rich_table(block, console.width))
            case Example(title, sentence, lines):
                console.print(Text(f"\n{title}", style="dim"))
                console.print(Text(f"  {sentence}"))
                for line in _aligned(lines):
                    console.print(Text(f"  {line}"))


def _rich_table(table: Table, width: int) -> RichTable:
    """Return a table for a terminal of a width: if it does not fit, headers are broken before numbers are."""
    cells = [max((len(row[i]) for row in table.rows), default=0) for i in range(len(table.header))]
    natural = sum(max(len(name), cell) + _PADDING for name, cell in zip(table.header, cells, strict=True))
    shown = RichTable(box=box.SIMPLE_HEAD)
    for index, (name, cell) in enumerate(zip(table.header, cells, strict=True)):
        is_number = index in table.numbers
        shown.add_column(
            Text(name),
            justify="right" if is_number else "left",
            overflow="fold",
            width=max(cell, _NARROW) if is_number and natural > width else None,
        )
    for row in table.rows:
        shown.add_row(*map(Text, row))
    return shown


def to_markdown(blocks: Sequence[Block]) -> str:
    """Return blocks as GitHub's Markdown; examples are folded, in code blocks that quote tokens literally."""
    return "\n\n".join(_markdown(blocks)) + "\n"


def _markdown(blocks: Sequence[Block]) -> Iterator[str]:
    for index, block in enumerate(blocks):
        match block:
            case Heading(text, level):
                yield f"{'#' * (level + 1)} {_escape(text)}"
            case Paragraph(text, warning):
                yield f"**{_escape(text)}**" if warning else _escape(text)
            case Table(header, rows, numbers):
                rule = ["---:" if column in numbers else "---" for column in range(len(header))]
                lines = [map(_escape, header), rule, *(map(_escape, row) for row in rows)]
                yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
            case Example(title, sentence, lines):
                if not isinstance(blocks[index - 1], Example):
                    yield "<details><summary>Examples</summary>"
                text = "\n".join([title, sentence, *_aligned(lines)])
                fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
                yield f"{fence}text\n{text}\n{fence}"
                if not isinstance((*blocks[index + 1 :], None)[0], Example):
                    yield "</details>"


def to_html(blocks: Sequence[Block]) -> str:
    """Return blocks as an HTML page that loads nothing."""
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>",
            *map(_html, blocks),
            "</html>\n",
        ]
    )


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Paragraph(text, warning):
            css = ' class="warning"' if warning else ""
            return f"<p{css}>{html.escape(text)}</p>"
        case Table(header, rows, numbers):

            def line(tag: str, cells: Sequence[str]) -> str:
                classes = [' class="number"' if column in numbers else "" for column in range(len(cells))]
                made = [
                    f"<{tag}{name}>{html.escape(cell)}</{tag}>"
                    for name, cell in zip(classes, cells, strict=True)
                ]
                return f"<tr>{''.join(made)}</tr>"

            body = "\n".join(line("td", row) for row in rows)
            return f"<table>\n<thead>{line('th', header)}</thead>\n<tbody>\n{body}\n</tbody></table>"
        case Example(title, sentence, lines):
            texts = "".join(f"<dt>{html.escape(n)}</dt><dd>{html.escape(text)}</dd>" for n, text in lines)
            caption = f"<figcaption>{html.escape(title)}</figcaption>"
            return f"<figure>{caption}{html.escape(sentence)}<dl>{texts}</dl></figure>"


def _aligned(lines: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in lines), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in lines]


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|~$])", r"\\\1", text)
