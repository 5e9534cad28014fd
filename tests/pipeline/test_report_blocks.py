from __future__ import annotations

import io
from html.parser import HTMLParser

from rich.console import Console

from seqlab.pipeline.report_blocks import (
    Example,
    Heading,
    Paragraph,
    Table,
    print_blocks,
    to_html,
    to_markdown,
)

BLOCKS = [
    Heading("Comparison of <ner>"),
    Paragraph("The corpora differ.", warning=True),
    Table(("tag", "gold"), [("$|`", "12"), ("[PER]", "3")], (1,)),
    Example("first", "``` @someone <script>alert(1)</script> [bold]", [("gold", "PER: @someone")]),
    Example("second", "a b", []),
    Paragraph("end"),
]


def test_markdown_quotes_what_comes_from_a_corpus():
    text = to_markdown(BLOCKS)
    assert text.startswith("## Comparison of \\<ner\\>\n\n**The corpora differ.**\n")
    assert "| tag | gold |\n| --- | ---: |\n| \\$\\|\\` | 12 |\n| \\[PER\\] | 3 |\n" in text
    assert (
        "<details><summary>Examples</summary>\n\n"
        "````text\nfirst\n"
        "``` @someone <script>alert(1)</script> [bold]\n"
        "  gold  PER: @someone\n````\n\n```text\nsecond\na b\n```\n\n</details>\n\nend\n"
    ) in text


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_the_page_loads_nothing_and_escapes_what_comes_from_a_corpus():
    page = Page(to_html(BLOCKS))
    assert "script" not in page.tags
    assert not {name for name, _ in page.attributes} & {"src", "href"}
    assert "``` @someone <script>alert(1)</script> [bold]" in page.text
    assert ("class", "warning") in page.attributes
    assert page.tags.count("tr") == 3
    assert page.tags.count("figure") == 2


def test_the_terminal_shows_brackets_and_keeps_its_width():
    file = io.StringIO()
    long = Paragraph("word " * 60)
    print_blocks([*BLOCKS, long], Console(file=file, width=60))
    text = file.getvalue()
    assert "[bold]" in text
    assert "[PER]" in text
    assert max(map(len, text.splitlines())) <= 60


def test_a_narrow_terminal_breaks_headers_and_not_numbers():
    output = io.StringIO()
    header = ("trial", "learning_rate", "batch_size", "dev span_f1", "epochs", "status")
    row = ("12", "0.0012345", "32", "0.6843", "10", "stopped early")
    print_blocks([Table(header, [row], (0, 1, 2, 3, 4))], Console(file=output, width=60))
    printed = output.getvalue()
    assert max(map(len, printed.splitlines())) <= 60
    assert "learning_rate" not in printed
    assert {"12", "0.0012345", "32", "0.6843", "10", "stopped", "early"} <= set(printed.split())
