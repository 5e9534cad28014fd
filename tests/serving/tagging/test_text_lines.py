from __future__ import annotations

import io

import pytest

from seqlab.serving.tagging.text_lines import LONGEST_LINE, LONGEST_TOKEN, TextLine, batches, read_text_lines


def read(data: bytes) -> list[TextLine]:
    return list(read_text_lines(io.BytesIO(data), name="in.txt"))


def text_line(number: int, text: str) -> TextLine:
    return TextLine(number, text, file="in.txt")


def test_line_ends_and_byte_order_marks_are_removed() -> None:
    assert read(b"\xef\xbb\xbfone\r\n\ntwo\tthree") == [
        text_line(1, "one"),
        text_line(2, ""),
        text_line(3, "two\tthree"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"bad \xff", r"in.txt:2:5: not UTF-8[\s\S]*byte ff[\s\S]*iconv"),
        (b"cut \xe6\x97", r"in.txt:2:5: not UTF-8[\s\S]*byte e6 97"),
        (b"bell \x07", r"in.txt:2:6: a control character[\s\S]*U\+0007[\s\S]*tr -d"),
        (b"escape \x1b[31m", r"in.txt:2:8: a control character[\s\S]*U\+001B"),
        (b"a " + b"x" * (LONGEST_TOKEN + 1), r"in.txt:2:3: a word is too long[\s\S]*10,001 characters"),
        (b"x" * 100_000, r"in.txt:2:1: a word is too long[\s\S]*100,000 characters"),
        (b"x " * LONGEST_LINE, r"in.txt:2: the line is too long[\s\S]*1,000,000 bytes"),
    ],
    ids=["not utf-8", "cut off", "bell", "escape", "long word", "without a blank", "long line"],
)
def test_an_invalid_line_is_reported_and_the_next_is_read(line: bytes, message: str) -> None:
    first, bad, last = read(b"first\n" + line + b"\nlast\n")
    assert (first, last) == (text_line(1, "first"), text_line(3, "last"))
    assert (bad.number, bad.text) == (2, "")
    with pytest.raises(Exception, match=message):
        raise bad.problem or AssertionError("no problem")


def test_a_long_last_line_without_an_end() -> None:
    (bad,) = read(b"x " * LONGEST_LINE)
    assert bad.problem is not None


def test_the_longest_allowed_word_and_line_are_read() -> None:
    word = "x" * LONGEST_TOKEN
    line = f"{word} {'y ' * 400_000}z"
    assert read(line.encode() + b"\n") == [text_line(1, line)]


def test_batches_are_bounded_by_lines_and_by_characters() -> None:
    lines = [TextLine(i, "x" * 10) for i in range(5)]
    assert [len(batch) for batch in batches(lines, size=2)] == [2, 2, 1]
    assert [len(batch) for batch in batches(lines, size=9, characters=30)] == [3, 2]
    assert list(batches([], size=2)) == []
