"""Predictions as CoNLL text, which any other scorer can read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seqlab.atomic import replaced_file
from seqlab.errors import SeqlabError
from seqlab.evaluation.spans import extract_spans
from seqlab.tags import spans_to_tags


class TaggedSentence(NamedTuple):
    """A sentence with the tags it has and the tags it was given, all of one length."""

    tokens: Sequence[str]
    gold: Sequence[str]
    predicted: Sequence[str]


TaggedTriple = tuple[Sequence[str], Sequence[str], Sequence[str]]
"""`(tokens, gold, predicted)`: a `TaggedSentence` or a plain tuple laid out like one."""

# What cannot stand in a column: every character that some reader takes for a separator or drops (white space
# of any script, line breaks, a byte order mark), and what UTF-8 cannot say. A backslash that begins what
# reads as an escape is escaped too, so that reading back is exact.
_UNWRITABLE = re.compile(r"[\s\ufeff\ud800-\udfff]|\\(?=u[0-9a-f]{4})")
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
_BOUNDARY = "-X-"  # conlleval takes this first column for the end of a sentence


def write_predictions(path: Path, sentences: Iterable[TaggedTriple]) -> int:
    r"""Writes one `token gold predicted` line per token and an empty line after each sentence.

    The file is UTF-8 and the separator one space. conlleval reads the last two columns, other scorers want
    three, so a token never holds white space: each such character is written as `\uXXXX` (four lower-case
    hexadecimal digits; a no-break space is `\u00a0`), and `read_predictions` puts it back. The file appears
    whole or not at all.

    Entities in BIOES go through `spell_as_iob2` first, or conlleval's own script counts fewer than there are.

    Args:
        path: where to write; its folder is made where it is missing.
        sentences: consumed once, one at a time.

    Returns:
        The number of tokens written.

    Raises:
        ValueError: a sentence has no tokens, its columns differ in length, a token or a tag is empty, or a
            tag holds white space.
    """
    count = 0
    with replaced_file(path) as made, made.open("w", encoding="utf-8", newline="\n") as file:
        for number, (tokens, gold, predicted) in enumerate(sentences, start=1):
            if not tokens or not len(tokens) == len(gold) == len(predicted):
                raise ValueError(
                    f"sentence {number}: {len(tokens)} tokens, {len(gold)} gold tags, "
                    f"{len(predicted)} predicted tags"
                )
            for token, gold_tag, predicted_tag in zip(tokens, gold, predicted, strict=True):
                if not token or not _is_column(gold_tag) or not _is_column(predicted_tag):
                    raise ValueError(
                        f"sentence {number}: no column can hold {(token, gold_tag, predicted_tag)!r}"
                    )
                file.write(f"{_escape(token)} {gold_tag} {predicted_tag}\n")
            file.write("\n")
            count += len(tokens)
    return count


def read_predictions(path: Path) -> Iterator[TaggedSentence]:
    """Reads what `write_predictions` wrote, one sentence at a time.

    Args:
        path: a CoNLL file of three columns, `token gold predicted`, separated by one space.

    Yields:
        The sentences, in the file's order.

    Raises:
        SeqlabError: a line has not three columns, or the file is not UTF-8.
    """
    rows: list[list[str]] = []
    number = 0
    with path.open(encoding="utf-8", newline="\n") as file:
        try:
            for number, line in enumerate(file, start=1):
                columns = line.rstrip("\r\n").split(" ")
                if columns == [""]:
                    if rows:
                        yield _sentence(rows)
                        rows = []
                    continue
                if len(columns) != 3 or not all(columns):
                    raise SeqlabError(
                        "wrong number of columns",
                        where=f"{path}:{number}",
                        expected="3 columns separated by one space (token gold predicted)",
                        received=repr(line.rstrip("\r\n")),
                        remedy="write the file with write_predictions, which escapes white space in tokens",
                    )
                rows.append(columns)
        except UnicodeDecodeError as error:
            raise SeqlabError(
                "not UTF-8",
                where=f"{path}:{number + 1}",
                expected="a file in UTF-8",
                received=f"{error.reason} ({error.object[error.start : error.end]!r})",
                remedy="convert the file to UTF-8",
            ) from error
    if rows:
        yield _sentence(rows)


def spell_as_iob2(sentences: Iterable[TaggedTriple]) -> Iterator[TaggedSentence]:
    """Respells gold and predicted tags as IOB2, with the spans that `extract_spans` reads in them.

    Every scorer reads IOB2 alike, while conlleval's own script joins adjacent entities of one type in BIOES,
    and scorers differ on sequences that are not well formed.

    Args:
        sentences: `(tokens, gold, predicted)` with the tags of spans, in any scheme.

    Yields:
        The same sentences with tags that are valid IOB2.
    """
    for tokens, gold, predicted in sentences:
        yield TaggedSentence(tokens, _as_iob2(gold), _as_iob2(predicted))


def _as_iob2(tags: Sequence[str]) -> tuple[str, ...]:
    return spans_to_tags(extract_spans(tags), length=len(tags), scheme="IOB2")


def _sentence(rows: list[list[str]]) -> TaggedSentence:
    tokens, gold, predicted = zip(*rows, strict=True)
    return TaggedSentence(tuple(_unescape(token) for token in tokens), gold, predicted)


def _is_column(tag: str) -> bool:
    return bool(tag) and not _UNWRITABLE.search(tag)


def _escape(token: str) -> str:
    escaped = _UNWRITABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", token)
    return f"\\u{ord(token[0]):04x}{token[1:]}" if escaped == _BOUNDARY else escaped


def _unescape(column: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), column)
