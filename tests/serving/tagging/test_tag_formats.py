from __future__ import annotations

import json

import pytest

from seqlab.errors import SeqlabError
from seqlab.serving.tagging.tag_formats import FORMATS, tag_format
from seqlab.serving.tagging.tagged_text import TaggedSpan, TaggedText, TaggedToken
from seqlab.serving.tagging.text_lines import TextLine

ENTITIES = TaggedText(
    "Ann Lee, <b>.",
    [
        TaggedToken("Ann", 0, 3, "B-PER", 0.91234567),
        TaggedToken("Lee", 4, 7, "E-PER", 0.5),
        TaggedToken(",", 7, 8, "O", 1.0),
        TaggedToken("<b>", 9, 12, "S-LOC", 0.25),
        TaggedToken(".", 12, 13, "O", 1.0),
    ],
    [TaggedSpan("PER", "Ann Lee", 0, 7, 0, 2), TaggedSpan("LOC", "<b>", 9, 12, 3, 4)],
)
PLAIN = TaggedText(
    "It rains", [TaggedToken("It", 0, 2, "PRON", 1.0), TaggedToken("rains", 3, 8, "VERB", 1.0)], None
)
EMPTY = TaggedText("", [], [])
LINE = TextLine(3, "", file="in.txt")
INVALID = TextLine(3, "", SeqlabError("not <UTF-8>", where="in.txt:3"), file="in.txt")


def line(name: str, tagged: TaggedText, *, colours: bool = False) -> str:
    return tag_format(name, colours=colours).line(LINE, tagged)


def test_text_brackets_entities() -> None:
    assert line("text", ENTITIES) == "[Ann Lee PER] , [<b> LOC] .\n"
    assert line("text", PLAIN) == "It/PRON rains/VERB\n"
    assert line("text", EMPTY) == "\n"


def test_text_is_coloured_for_a_terminal() -> None:
    coloured = line("text", ENTITIES, colours=True)
    assert coloured.count("\x1b[0m") == 2
    assert coloured.startswith("\x1b[3")
    assert line("text", PLAIN, colours=True).count("\x1b[0m") == 2


def test_conll_has_one_token_per_line() -> None:
    assert line("conll", PLAIN) == "It\tPRON\nrains\tVERB\n\n"
    assert line("conll", EMPTY) == "\n"


def test_json_contains_offsets() -> None:
    value = json.loads(line("json", ENTITIES))
    assert (value["file"], value["line"]) == ("in.txt", 3)
    assert value["tokens"][0] == {
        "text": "Ann",
        "start": 0,
        "end": 3,
        "tag": "B-PER",
        "probability": 0.912346,
    }
    assert value["spans"][0] == {
        "type": "PER",
        "text": "Ann Lee",
        "start": 0,
        "end": 7,
        "start_token": 0,
        "end_token": 2,
    }
    assert "spans" not in json.loads(line("json", PLAIN))
    assert json.loads(line("json", EMPTY)) == {
        "file": "in.txt",
        "line": 3,
        "text": "",
        "tokens": [],
        "spans": [],
    }


def test_html_escapes_tokens_tags_and_the_title() -> None:
    evil = "<script>alert('&')</script>"
    tagged = TaggedText(evil, [TaggedToken(evil, 0, len(evil), evil, 1.0)], None)
    page = tag_format("html", colours=False, title=evil)
    problem = TextLine(2, "", SeqlabError(evil), "in.txt")
    text = page.head + page.line(LINE, tagged) + page.problem(problem)
    assert text.count("&lt;script&gt;") == 4
    assert "<script" not in text


def test_html_marks_entities_and_escapes_the_text() -> None:
    marked = line("html", ENTITIES)
    assert marked.startswith('<p><mark style="background: #')
    assert ">Ann Lee<b>PER</b></mark>, <mark" in marked
    assert ">&lt;b&gt;<b>LOC</b></mark>.</p>" in marked
    assert line("html", PLAIN).count("<mark") == 2
    page = tag_format("html", colours=False, title="a & b")
    assert "<title>a &amp; b</title>" in page.head
    assert page.tail == "</body></html>\n"


def test_one_type_has_one_colour() -> None:
    one = tag_format("html", colours=False).line(LINE, ENTITIES)
    two = tag_format("html", colours=False).line(
        LINE,
        TaggedText("Lee", [TaggedToken("Lee", 0, 3, "S-PER", 1.0)], [TaggedSpan("PER", "Lee", 0, 3, 0, 1)]),
    )
    colour = two.partition("background: ")[2][:7]
    assert f'{colour}">Ann Lee' in one


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text", "\n"),
        ("conll", "# error: not <UTF-8>\n\n"),
        ("json", '{"file": "in.txt", "line": 3, "error": "not <UTF-8>"}\n'),
        ("html", '<p class="problem">not &lt;UTF-8&gt;</p>\n'),
    ],
)
def test_a_line_that_cannot_be_tagged_is_kept_in_the_output(name: str, expected: str) -> None:
    assert name in FORMATS
    assert tag_format(name, colours=False).problem(INVALID) == expected


def test_an_unknown_format_raises() -> None:
    with pytest.raises(ValueError, match="format must be one of text, conll, json, html, received 'xml'"):
        tag_format("xml", colours=False)
