"""CoNLL files: a token on each line with its tags in columns, a blank line after each sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from seqlab.atomic import replaced_file
from seqlab.corpus.blocks import MAX_SENTENCE_TOKENS, Block, LineKind, read_sentences, scan_blocks
from seqlab.corpus.sentence import Sentence
from seqlab.errors import CorpusError
from seqlab.tags import canonical_tag_scheme

SEPARATORS = ("\t", " ", "whitespace")
IGNORED_COLUMN = "_"

_SEPARATOR_NAMES = {"\t": "tabs", " ": "single spaces", "whitespace": "spaces and tabs"}
_SEPARATOR_ALIASES = {"tab": "\t", "space": " "}
_DOCUMENT_BREAK = "-DOCSTART-"


@dataclass(frozen=True)
class ConllLayout:
    """How a CoNLL file's lines spell rows.

    A line that starts with the comment prefix is a comment where it holds no separator, so that a token may
    be `#`. Where spaces separate, the prefix itself may hold one: there a comment stands before a sentence's
    first row, and has another number of fields than there are columns.

    Spaces at the end of a line are dropped; a space beside a tab anywhere else is an error, and so is a tab
    beside columns separated by single spaces. A no-break space is a part of the token.

    Args:
        columns: the columns' names in order; one is `token`, and `_` names one that nobody wants.
        separator: a tab, a space, or `whitespace` for any run of spaces and tabs; `tab` and `space` will do.
        comment_prefix: what a comment starts with, or None where there are none.

    Raises:
        CorpusError: no column is named `token`, two have one name, or no such separator.
    """

    columns: tuple[str, ...]
    separator: str = "\t"
    comment_prefix: str | None = "# "

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "separator", _SEPARATOR_ALIASES.get(self.separator, self.separator))
        named = [column for column in self.columns if column != IGNORED_COLUMN]
        if "token" not in named or len(set(named)) < len(named):
            raise CorpusError(
                "the columns are not named well",
                where="columns",
                expected="each column's name in order, one of them token, none of them twice but '_'",
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
        """What may be dropped from a line's end: a tab at the end is an empty column where tabs separate."""
        return " " if self.separator == "\t" else " \t"

    def parse(self, text: str, line: int, block: Block) -> list[str] | LineKind | tuple[CorpusError, ...]:
        """Split a line that is not blank into its fields, or say what it is, or what is wrong with it."""
        prefix, separator = self.comment_prefix, self.separator
        fields = self._split(text)
        has_width = len(fields) == len(self.columns)
        if prefix and text.startswith(prefix):
            if separator == "\t":
                if "\t" not in text:
                    return LineKind.COMMENT
            elif not block.rows and not has_width:
                return LineKind.COMMENT
        if fields[0] == _DOCUMENT_BREAK or text == _DOCUMENT_BREAK:
            return LineKind.DOCUMENT_BREAK
        if not has_width:
            return (self._wrong_width(text, fields, line, block),)
        if "" in fields or (separator == "\t" and " " in text) or (separator == " " and "\t" in text):
            return tuple(self._field_problems(text, fields, line, block)) or fields
        return fields

    def column_of(self, text: str, index: int) -> int:
        """Give the 1-based character on which the field of that index begins."""
        if self.separator != "whitespace":
            return sum(len(field) + 1 for field in self._split(text)[:index]) + 1
        begin = end = 0
        for field in self._split(text)[: index + 1]:
            begin = text.index(field, end)
            end = begin + len(field)
        return begin + 1

    def _split(self, text: str) -> list[str]:
        if self.separator != "whitespace":
            return text.split(self.separator)
        return [field for field in text.replace("\t", " ").split(" ") if field]

    def _wrong_width(self, text: str, fields: list[str], line: int, block: Block) -> CorpusError:
        remedy = (
            "name the file's columns in order" if not block.rows else "write this line as those before it"
        )
        if self.separator == "\t" and "\t" not in text and " " in text:
            remedy = "the line holds spaces and no tab: set the separator to ' ' or 'whitespace' if all do"
        elif self.separator == " " and "\t" in text:
            remedy = "the line holds tabs: set the separator to a tab if all do, or to 'whitespace'"
        elif self.separator == " " and "" in fields:
            remedy = "several spaces follow each other: set the separator to 'whitespace' if that is meant"
        return CorpusError(
            "wrong number of columns",
            file=block.file,
            line=line,
            expected=f"{len(self.columns)} columns ({', '.join(self.columns)}) "
            f"between {_SEPARATOR_NAMES[self.separator]}",
            received=f"{len(fields)}: {_shorten(text)}",
            remedy=remedy,
        )

    def _field_problems(self, text: str, fields: list[str], line: int, block: Block) -> Iterator[CorpusError]:
        blank = "space" if self.separator == "\t" else "tab"
        for index, (name, field) in enumerate(zip(self.columns, fields, strict=True)):
            if name == IGNORED_COLUMN:
                continue
            if not field:
                what = "empty token" if name == "token" else f"empty tag in column {name}"
                expected, remedy = "at least one character", "write it, or name the column '_' to ignore it"
            elif field != field.strip(" \t"):
                what = f"{blank} beside the column {name}"
                expected = f"columns between {_SEPARATOR_NAMES[self.separator]} alone"
                remedy = "remove it, or set the separator to 'whitespace' if no token holds a space"
            else:
                continue
            yield CorpusError(
                what,
                file=block.file,
                line=line,
                column=self.column_of(text, index),
                expected=expected,
                received=_shorten(text),
                remedy=remedy,
            )


def read_conll(
    path: str | PathLike[str],
    *,
    columns: Sequence[str],
    tag_column: str,
    separator: str = "\t",
    comment_prefix: str | None = "# ",
    tag_scheme: str | None = None,
    tag_repair: bool = False,
    on_repair: Callable[[Sentence, int], None] | None = None,
    display_name: str | None = None,
    max_sentence_tokens: int = MAX_SENTENCE_TOKENS,
) -> Iterator[Sentence]:
    """Read a CoNLL file's sentences, in memory bounded by the longest sentence.

    Args:
        path: the file to read, plain, `.gz` or `.zst`, in UTF-8.
        columns: see `ConllLayout`, as for `separator` and `comment_prefix`.
        tag_column: the column to take the tags from.
        separator: what stands between columns.
        comment_prefix: what a comment starts with, or None where there are none.
        tag_scheme: the scheme in which the tags must be valid, or None for tags that spell no spans.
        tag_repair: repair invalid sequences of tags as `repair_tags` does, instead of refusing them.
        on_repair: called with each repaired sentence and the number of tags that were changed in it.
        display_name: the name of the file in errors, where the user knows it by another one.
        max_sentence_tokens: how many rows may follow each other without a blank line.

    Returns:
        An iterator over the sentences.

    Raises:
        CorpusError: at once where the parameters are wrong, and while reading at the first thing wrong in the
            file, with its line.
    """
    layout = ConllLayout(tuple(columns), separator, comment_prefix)
    check_tag_column(tag_column, layout.columns)
    if tag_scheme is not None:
        tag_scheme = canonical_tag_scheme(tag_scheme)
    blocks = scan_blocks(
        path, layout=layout, display_name=display_name, max_sentence_tokens=max_sentence_tokens
    )
    return read_sentences(
        blocks, tag_column=tag_column, tag_scheme=tag_scheme, tag_repair=tag_repair, on_repair=on_repair
    )


def check_tag_column(tag_column: str, columns: Sequence[str], *, where: str = "") -> None:
    """Make sure that the column is there to take tags from.

    Args:
        tag_column: the column that is wanted.
        columns: the columns that there are.
        where: how errors name the corpus.

    Raises:
        CorpusError: it is not; the message names those that are.
    """
    tag_columns = [name for name in columns if name not in ("token", IGNORED_COLUMN)]
    if tag_column not in tag_columns:
        raise CorpusError(
            "the corpus has no such tag column",
            where=where,
            expected=f"one of {', '.join(tag_columns)}" if tag_columns else "a corpus with a tag column",
            received=repr(tag_column),
            remedy="set the task's column to one of them, or leave the task out",
        )


def count_sentences(
    path: str | PathLike[str],
    *,
    columns: Sequence[str],
    separator: str = "\t",
    comment_prefix: str | None = "# ",
) -> int:
    """Count the sentences that `read_conll` would yield, whatever their tags.

    Raises:
        CorpusError: at the first thing wrong in the file.
    """
    count = 0
    for block in scan_blocks(path, layout=ConllLayout(tuple(columns), separator, comment_prefix)):
        if isinstance(block, CorpusError):
            raise block
        count += 1
    return count


def write_conll(path: str | PathLike[str], sentences: Iterable[Sentence]) -> int:
    """Write sentences as lines of token, tab, tag; the file appears whole or not at all.

    Args:
        path: the file to write; its folder is made where it is missing.
        sentences: what to write.

    Returns:
        The number of sentences written.

    Raises:
        ValueError: a token or tag that is empty or holds a tab or a line end, and could not be read again.
    """
    count = 0
    with replaced_file(Path(path)) as made, made.open("w", encoding="utf-8", newline="\n") as stream:
        for sentence in sentences:
            for token, tag in zip(sentence.tokens, sentence.tags, strict=True):
                if not token or not tag or any(mark in token + tag for mark in "\t\n\r\0"):
                    raise ValueError(f"{token!r} with tag {tag!r} cannot be written as a CoNLL line")
                stream.write(f"{token}\t{tag}\n")
            stream.write("\n")
            count += 1
    return count


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
