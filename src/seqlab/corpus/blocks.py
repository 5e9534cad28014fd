"""Blocks: sentences with all their columns, as they are read from a file before a tag column is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from os import PathLike
from typing import Protocol

from seqlab.corpus.lines import scan_lines
from seqlab.corpus.sentence import Sentence
from seqlab.errors import CorpusError
from seqlab.tags import (
    TAG_SCHEMES,
    TagProblem,
    canonical_tag_scheme,
    find_unreadable_tag,
    is_valid_tag,
    repair_tags,
    validate_tags,
)

MAX_SENTENCE_TOKENS = 100_000  # longer ones probably come from a file without blank lines


class LineKind(Enum):
    """The kind of a line that contains no token."""

    COMMENT = "comment"
    BREAK = "end of a sentence"
    IGNORED = "ignored"


class Layout(Protocol):
    """A file format: how to parse a line into fields."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns in order, one of them `token`."""

    @property
    def trailing_blanks(self) -> str:
        """The characters to strip from the end of each line before parsing."""

    def parse(self, text: str, line: int, block: Block) -> list[str] | LineKind | tuple[CorpusError, ...]:
        """Parse a non-empty line, given the block so far. Return its fields, its kind, or its errors."""


@dataclass(slots=True)
class Block:
    """The rows of one sentence with all their columns.

    Args:
        file: the file, under the name that the user knows.
        columns: the names of the columns.
        lines: the 1-based line of each row.
        texts: the text of each row as in the file.
        rows: the fields of each row.
        comments: the comment lines since the previous block.
        broken: whether rows are missing because their lines are invalid.
    """

    file: str
    columns: tuple[str, ...]
    lines: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    broken: bool = False

    def column(self, name: str) -> tuple[str, ...]:
        """Return the fields of one column, one per row."""
        index = self.columns.index(name)
        return tuple([row[index] for row in self.rows])

    def error(
        self, what: str, *, row: int, column: str, expected: str, received: str, remedy: str
    ) -> CorpusError:
        """Return an error located at one field of the block."""
        return CorpusError(
            what,
            file=self.file,
            line=self.lines[row],
            column=column_of(self.texts[row], self.rows[row], self.columns.index(column)),
            expected=expected,
            received=received,
            remedy=remedy,
        )

    def metadata(self, key: str) -> str | None:
        """Return the value of a comment `# key = value` (such as `sent_id`), or None if there is none."""
        for comment in self.comments:
            name, equals, value = comment.lstrip("# ").partition("=")
            if equals and name.strip() == key:
                return value.strip()
        return None


def column_of(text: str, fields: Sequence[str], index: int) -> int:
    """Return the 1-based character at which a field starts in its line, whatever separates the fields."""
    begin = end = -1
    for content in fields[: index + 1]:
        begin = text.index(content, end + 1)
        end = begin + len(content)
    return begin + 1


def scan_blocks(
    path: str | PathLike[str], *, layout: Layout, display_name: str | None = None
) -> Iterator[Block | CorpusError]:
    """Read the sentences of a file and continue after invalid lines. Memory holds one sentence at a time.

    Blank lines, document breaks and the end of the file end a sentence.

    Args:
        path: a plain, `.gz` or `.zst` file.
        layout: the format of its lines.
        display_name: the name of the file in errors, if the user knows it by another name.

    Yields:
        A block for each sentence that has valid rows, preceded by the errors in its lines. If the file
        contains no sentence, the last item is an error that says so.

    Raises:
        CorpusError: the file cannot be read to its end (see `scan_lines`), or a sentence has more than
            `MAX_SENTENCE_TOKENS` tokens.
    """
    name = display_name or str(path)
    parse, columns, trailing_blanks = layout.parse, layout.columns, layout.trailing_blanks
    block = Block(name, columns)
    line, found = 0, False
    for line, text in enumerate(scan_lines(path, display_name=name), start=1):
        if isinstance(text, CorpusError):
            block.broken = found = True
            yield text
            continue
        text = text.rstrip(trailing_blanks)
        outcome = parse(text, line, block) if text else LineKind.BREAK
        if isinstance(outcome, list):
            block.lines.append(line)
            block.texts.append(text)
            block.rows.append(outcome)
            if len(block.rows) > MAX_SENTENCE_TOKENS:
                raise CorpusError(
                    "the sentence is too long",
                    file=name,
                    line=block.lines[0],
                    expected=f"at most {MAX_SENTENCE_TOKENS} tokens before the next blank line",
                    received="more",
                    remedy="put a blank line after each sentence",
                )
        elif outcome is LineKind.COMMENT:
            block.comments.append(text)
        elif outcome is LineKind.BREAK:
            if block.rows:
                found = True
                yield block
            block = Block(name, columns)
        elif isinstance(outcome, tuple):
            block.broken = found = True
            yield from outcome
    if block.rows:
        yield block
    elif not found:
        yield CorpusError(
            "no sentences",
            file=name,
            line=max(line, 1),
            expected="at least one line with a token and its tags",
            received="none",
            remedy="check that this is the intended file",
        )


def read_sentences(
    blocks: Iterable[Block | CorpusError],
    *,
    tag_column: str,
    tag_scheme: str | None = None,
    tag_repair: bool = False,
    on_repair: Callable[[Sentence, int], None] | None = None,
) -> Iterator[Sentence]:
    """Convert blocks to sentences with the tags of one column.

    Args:
        blocks: what `scan_blocks` yields.
        tag_column: the column that contains the tags.
        tag_scheme: the scheme in which the tags must be valid, or None if they do not encode spans.
        tag_repair: repair invalid sequences of tags (see `repair_tags`) instead of raising.
        on_repair: called with each repaired sentence and the number of its tags that were changed.

    Raises:
        CorpusError: the first error among the blocks, or the first invalid tag or transition.
    """
    tag_scheme = canonical_tag_scheme(tag_scheme) if tag_scheme else None
    for block in blocks:
        if isinstance(block, CorpusError):
            raise block
        tags = block.column(tag_column)
        repairs = 0
        if tag_scheme is not None and (problem := validate_tags(tags, scheme=tag_scheme)) is not None:
            if tag_repair:
                problem = find_unreadable_tag(tags)
            if problem is not None:
                raise tag_error(block, problem, tag_column=tag_column, tag_scheme=tag_scheme)
            tags, repairs = repair_tags(tags, scheme=tag_scheme)
        sentence = Sentence(block.column("token"), tags, block.file, block.lines[0])
        if repairs and on_repair is not None:
            on_repair(sentence, repairs)
        yield sentence


def tag_error(block: Block, problem: TagProblem, *, tag_column: str, tag_scheme: str) -> CorpusError:
    """Return the error for an invalid tag or transition, with the schemes in which the sentence is valid."""
    tags = block.column(tag_column)
    known = is_valid_tag(tags[problem.position], scheme=tag_scheme)
    others = [scheme for scheme in (*TAG_SCHEMES, "BILOU") if validate_tags(tags, scheme=scheme) is None]
    remedy = "fix the tags, or set tag_repair to read them like the CoNLL evaluation script"
    if others:
        remedy = f"this sentence is valid in {' and '.join(others)}: set tag_scheme if all are, or {remedy}"
    return block.error(
        f"invalid {'transition' if known else 'tag'} in column {tag_column} ({tag_scheme})",
        row=problem.position,
        column=tag_column,
        expected=problem.expected,
        received=problem.received,
        remedy=remedy,
    )
