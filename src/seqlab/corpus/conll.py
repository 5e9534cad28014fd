"""CoNLL: one token per line with its tags in columns, a blank line after each sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from seqlab.atomic import replaced_file
from seqlab.corpus.blocks import Block, LineKind, column_of
from seqlab.errors import CorpusError

SEPARATORS = {"\t": "tabs", " ": "single spaces", "whitespace": "runs of spaces and tabs"}
SEPARATOR_NAMES = {"\t": "tab", " ": "space", "whitespace": "whitespace"}
IGNORED_COLUMN = "_"

_SEPARATORS_BY_NAME = {name: separator for separator, name in SEPARATOR_NAMES.items()}
_DOCUMENT_BREAK = "-DOCSTART-"

# What the reader takes for the end of a column or a line, removes, or refuses.
_UNREADABLE = re.compile(r"[\t\n\r\0\ud800-\udfff]|^[ \ufeff]| $")


@dataclass(frozen=True)
class ConllLayout:
    """The layout of CoNLL files.

    A line that starts with the comment prefix and contains no separator is a comment, so a token can be `#`.
    With spaces as separators the prefix itself may contain one. In that case, a comment is a line before the
    first token of a sentence whose number of fields differs from the number of columns.

    Spaces at the end of a line are ignored. Elsewhere, a space next to a tab is an error, and so is a tab if
    single spaces are the separators. A no-break space is part of its token.

    Args:
        columns: the names of the columns in order. One is `token`; columns named `_` are ignored.
        separator: a tab, a space, or `whitespace` for any run of spaces and tabs. `tab` and `space` are
            accepted as names.
        comment_prefix: the start of a comment line, or None if the file has no comments.

    Raises:
        CorpusError: no column is named `token`, two have the same name, or the separator is unknown.
    """

    columns: tuple[str, ...]
    separator: str = "\t"
    comment_prefix: str | None = "# "

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "separator", _SEPARATORS_BY_NAME.get(self.separator, self.separator))
        named = [column for column in self.columns if column != IGNORED_COLUMN]
        if "token" not in named or len(set(named)) < len(named):
            raise CorpusError(
                "invalid column names",
                where="columns",
                expected="the name of each column in order, one of them token, and no name but '_' twice",
                received=", ".join(self.columns) or "none",
            )
        if self.separator not in SEPARATORS:
            raise CorpusError(
                "unknown separator",
                where="separator",
                expected="a tab, a space, or 'whitespace' for any run of both",
                received=repr(self.separator),
            )

    @property
    def trailing_blanks(self) -> str:
        """The characters to strip from line ends. With tabs as separators, a final tab is an empty column."""
        return " " if self.separator == "\t" else " \t"

    def parse(self, text: str, line: int, block: Block) -> list[str] | LineKind | tuple[CorpusError, ...]:
        """Parse a non-empty line into fields. Return its kind if it is not a token, or its errors."""
        prefix, separator = self.comment_prefix, self.separator
        fields = split_fields(text, separator)
        has_width = len(fields) == len(self.columns)
        if prefix and text.startswith(prefix):
            if separator == "\t":
                if "\t" not in text:
                    return LineKind.COMMENT
            elif not block.rows and not has_width:
                return LineKind.COMMENT
        if fields[0] == _DOCUMENT_BREAK or text == _DOCUMENT_BREAK:
            return LineKind.BREAK
        if not has_width:
            return (self._wrong_width(text, fields, line, block),)
        if "" in fields or (separator == "\t" and " " in text) or (separator == " " and "\t" in text):
            return tuple(self._field_errors(text, fields, line, block)) or fields
        return fields

    def _wrong_width(self, text: str, fields: list[str], line: int, block: Block) -> CorpusError:
        separator, width = find_layout([text], self) or (self.separator, len(fields))
        if separator != self.separator:
            remedy = f"if all lines have {width} columns separated by {SEPARATORS[separator]}, "
            remedy += f"set the separator to '{SEPARATOR_NAMES[separator]}'"
        elif block.rows:
            remedy = "write this line like the lines before it"
        else:
            remedy = "name all columns of the file in order"
        return CorpusError(
            "wrong number of columns",
            file=block.file,
            line=line,
            expected=f"{len(self.columns)} columns ({', '.join(self.columns)}) "
            f"separated by {SEPARATORS[self.separator]}",
            received=f"{len(fields)}: {_shorten(text)}",
            remedy=remedy,
        )

    def _field_errors(self, text: str, fields: list[str], line: int, block: Block) -> Iterator[CorpusError]:
        blank = "space" if self.separator == "\t" else "tab"
        for index, (name, field) in enumerate(zip(self.columns, fields, strict=True)):
            if name == IGNORED_COLUMN:
                continue
            if not field:
                what = "empty token" if name == "token" else f"empty tag in column {name}"
                expected = "at least one character"
                remedy = "add the missing value, or name the column '_' to ignore it"
            elif field != field.strip(" \t"):
                what = f"{blank} beside column {name}"
                expected = f"columns separated by {SEPARATORS[self.separator]} alone"
                remedy = "remove it, or set the separator to 'whitespace' if no token contains a space"
            else:
                continue
            yield CorpusError(
                what,
                file=block.file,
                line=line,
                column=column_of(text, fields, index),
                expected=expected,
                received=_shorten(text),
                remedy=remedy,
            )


def split_fields(text: str, separator: str) -> list[str]:
    """Split a line at a separator of `SEPARATORS`."""
    if separator != "whitespace":
        return text.split(separator)
    return [field for field in text.replace("\t", " ").split(" ") if field]


def find_layout(texts: Sequence[str], configured: ConllLayout) -> tuple[str, int] | None:
    """Return the separator and the number of columns that nearly all lines share, or None if none fit.

    If several separators fit, the result is the one with the configured number of columns, or else the first
    of the configured separator, tabs, single spaces and runs of both.
    """
    fitting = []
    for separator in dict.fromkeys([configured.separator, *SEPARATORS]):
        widths: Counter[int] = Counter()
        for text in texts:
            fields = split_fields(text.rstrip(" " if separator == "\t" else " \t"), separator)
            if separator != " " or ("" not in fields and "\t" not in text):
                widths[len(fields)] += 1
        fitting += [
            (separator, width) for width, count in widths.items() if width > 1 and count >= 0.9 * len(texts)
        ]
    return max(fitting, key=lambda fit: fit[1] == len(configured.columns), default=None)


def check_tag_column(tag_column: str, columns: Sequence[str], *, where: str = "") -> None:
    """Check that a corpus, called `where` in the error, has a tag column.

    Raises:
        CorpusError: the column is missing. The message lists the tag columns of the corpus.
    """
    tag_columns = [name for name in columns if name not in ("token", IGNORED_COLUMN)]
    if tag_column not in tag_columns:
        raise CorpusError(
            "the corpus has no such tag column",
            where=where,
            expected=f"one of {', '.join(tag_columns)}" if tag_columns else "a corpus with a tag column",
            received=repr(tag_column),
            remedy="set the task's column to one of them, or remove the task",
        )


def write_conll(
    path: str | PathLike[str], sentences: Iterable[tuple[Sequence[str], Sequence[str]]]
) -> tuple[int, int]:
    """Write `token<TAB>tag` lines and a blank line after each sentence, in UTF-8.

    An existing file is replaced only after all sentences are written.

    Args:
        path: the file; its folder is created if missing.
        sentences: tokens and tags; consumed once, one at a time.

    Returns:
        The numbers of sentences and of tokens.

    Raises:
        CorpusError: a sentence is empty or has another number of tags than tokens, or a token or tag cannot
            stand in a column: it is empty, contains a tab or a line break, or has blanks at its ends.
    """
    num_sentences = num_tokens = 0
    with replaced_file(Path(path)) as made, made.open("w", encoding="utf-8", newline="\n") as file:
        for num_sentences, (tokens, tags) in enumerate(sentences, start=1):
            if not tokens or len(tokens) != len(tags):
                raise CorpusError(
                    "this is not a tagged sentence",
                    where=f"sentence {num_sentences}",
                    expected="at least one token, and a tag for each",
                    received=f"{len(tokens)} tokens and {len(tags)} tags",
                )
            for position, row in enumerate(zip(tokens, tags, strict=True), start=1):
                if not all(row) or row[0] == _DOCUMENT_BREAK or any(map(_UNREADABLE.search, row)):
                    raise CorpusError(
                        "this cannot be written as columns",
                        where=f"sentence {num_sentences}, token {position}",
                        expected="a token and a tag without tabs, line breaks and outer blanks",
                        received=" ".join(map(repr, row)),
                    )
                file.write("\t".join(row) + "\n")
            num_tokens += len(tokens)
            file.write("\n")
    return num_sentences, num_tokens


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
