"""Predictions in CoNLL format, readable by conlleval and other scorers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from seqlab.atomic import replaced_file
from seqlab.errors import SeqlabError
from seqlab.evaluation.counts import TaggedTriple, extract_spans
from seqlab.tags import spans_to_tags


class TaggedSentence(NamedTuple):
    """A sentence with its gold and predicted tags, all of the same length."""

    tokens: Sequence[str]
    gold: Sequence[str]
    predicted: Sequence[str]


# Characters that some reader treats as a separator or drops (white space, line breaks, byte order mark), and
# surrogates, which UTF-8 cannot encode. A backslash that starts an escape sequence is escaped as well.
_UNWRITABLE = re.compile(r"[\s\ufeff\ud800-\udfff]|\\(?=u[0-9a-f]{4})")
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
_BOUNDARY = "-X-"  # conlleval reads a line with this first column as the end of a sentence


def write_predictions(path: Path, sentences: Iterable[TaggedTriple]) -> None:
    r"""Write one `token gold predicted` line per token and an empty line after each sentence.

    The file is UTF-8, with columns separated by one space. White space in a token is escaped as `\uXXXX`
    (four lower-case hexadecimal digits, `\u00a0` for a no-break space); `read_predictions` unescapes it. An
    existing file is replaced only after all sentences are written.

    conlleval miscounts adjacent entities in BIOES: convert tags with `spell_as_iob2` first.

    Args:
        path: the file to write; its folder is created if missing.
        sentences: `(tokens, gold, predicted)`; consumed once, one at a time.

    Raises:
        ValueError: a sentence has no tokens, its columns differ in length, a token or a tag is empty, or a
            tag contains white space.
    """
    with replaced_file(path) as made, made.open("w", encoding="utf-8", newline="\n") as file:
        for number, (tokens, gold, predicted) in enumerate(sentences, start=1):
            if not tokens or not len(tokens) == len(gold) == len(predicted):
                raise ValueError(
                    f"sentence {number}: {len(tokens)} tokens, {len(gold)} gold tags, "
                    f"{len(predicted)} predicted tags"
                )
            for row in zip(tokens, gold, predicted, strict=True):
                token, *tags = row
                if not all(row) or any(map(_UNWRITABLE.search, tags)):
                    raise ValueError(f"sentence {number}: cannot write {row!r} as columns")
                file.write(" ".join([_escape(token), *tags]) + "\n")
            file.write("\n")


def read_predictions(path: Path) -> Iterator[TaggedSentence]:
    """Yield the sentences of a file that `write_predictions` wrote.

    Raises:
        SeqlabError: a line does not have three columns, or the file is not UTF-8.
    """
    for is_sentence, rows in groupby(_read_rows(path), key=bool):
        if is_sentence:
            tokens, gold, predicted = zip(*rows, strict=True)
            yield TaggedSentence(tuple(map(_unescape, tokens)), gold, predicted)


def spell_as_iob2(sentences: Iterable[TaggedTriple]) -> Iterator[TaggedSentence]:
    """Yield the sentences with gold and predicted tags converted to IOB2; see `iob2_tags`."""
    for tokens, gold, predicted in sentences:
        yield TaggedSentence(tokens, iob2_tags(gold), iob2_tags(predicted))


def iob2_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return one sentence's tags, of any scheme, in IOB2.

    The spans are those that `extract_spans` returns. All scorers read valid IOB2 alike, but they differ on
    invalid sequences, and conlleval joins adjacent entities of one type in BIOES.
    """
    return spans_to_tags(extract_spans(tags), length=len(tags), scheme="IOB2")


def _read_rows(path: Path) -> Iterator[list[str]]:
    """Yield each line's three columns, or an empty list for an empty line."""
    number = 0
    with path.open(encoding="utf-8", newline="\n") as file:
        try:
            for number, line in enumerate(file, start=1):
                text = line.rstrip("\r\n")
                columns = text.split(" ") if text else []
                if columns and (len(columns) != 3 or not all(columns)):
                    raise SeqlabError(
                        "wrong number of columns",
                        where=f"{path}:{number}",
                        expected="3 columns separated by one space (token gold predicted)",
                        received=repr(text),
                        remedy="write the file with write_predictions, which escapes white space in tokens",
                    )
                yield columns
        except UnicodeDecodeError as error:
            raise SeqlabError(
                "not UTF-8",
                where=f"{path}:{number + 1}",
                expected="a file in UTF-8",
                received=f"{error.reason} ({error.object[error.start : error.end]!r})",
                remedy="convert the file to UTF-8",
            ) from error


def _escape(token: str) -> str:
    escaped = _UNWRITABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", token)
    return f"\\u{ord(token[0]):04x}{token[1:]}" if escaped == _BOUNDARY else escaped


def _unescape(column: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), column)
