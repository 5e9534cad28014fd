"""Blocks of rows, which are sentences before a tag column has been chosen, and how they become sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
    find_unreadable_tag,
    is_valid_tag,
    repair_tags,
    validate_tags,
)

MAX_SENTENCE_TOKENS = 100_000


class LineKind(Enum):
    """What a line is that is no row."""

    COMMENT = "comment"
    DOCUMENT_BREAK = "document break"
    SKIPPED = "skipped"


class Layout(Protocol):
    """How a file's lines spell rows."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names in order, one of them `token`."""

    @property
    def trailing_blanks(self) -> str:
        """The characters that are dropped from a line's end."""

    def parse(self, text: str, line: int, block: Block) -> list[str] | LineKind | tuple[CorpusError, ...]:
        """Split a line that is not blank into its fields, or say what it is, or what is wrong with it."""

    def column_of(self, text: str, index: int) -> int:
        """Give the 1-based character on which the field of that index begins."""


@dataclass(slots=True)
class Block:
    """The rows of one sentence with all their columns.

    Args:
        file: the file as the user knows it.
        layout: what the columns are.
        lines: the 1-based line of each row.
        texts: each row as it stands in the file.
        rows: each row's fields.
        comments: the comment lines since the block before.
        broken: lines of this sentence could not be read, and are missing here.
    """

    file: str
    layout: Layout
    lines: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    broken: bool = False

    def column(self, name: str) -> tuple[str, ...]:
        """Give one column's fields, from the first row to the last."""
        index = self.layout.columns.index(name)
        return tuple([row[index] for row in self.rows])

    def error(
        self, what: str, *, row: int, column: str, expected: str, received: str, remedy: str
    ) -> CorpusError:
        """Make an error that stands at one field of the block."""
        return CorpusError(
            what,
            file=self.file,
            line=self.lines[row],
            column=self.layout.column_of(self.texts[row], self.layout.columns.index(column)),
            expected=expected,
            received=received,
            remedy=remedy,
        )

    def metadata(self, key: str) -> str | None:
        """Give the value of a comment `# key = value`, None where there is none (`sent_id`, `text`)."""
        for comment in self.comments:
            name, equals, value = comment.lstrip("# ").partition("=")
            if equals and name.strip() == key:
                return value.strip()
        return None


def scan_blocks(
    path: str | PathLike[str],
    *,
    layout: Layout,
    display_name: str | None = None,
    max_sentence_tokens: int = MAX_SENTENCE_TOKENS,
) -> Iterator[Block | CorpusError]:
    """Read a file's sentences and go on after what is wrong, in memory bounded by the longest sentence.

    Blank lines, however many, and document breaks end a sentence; so does the end of the file.

    Args:
        path: the file to read, plain, `.gz` or `.zst`.
        layout: how its lines spell rows.
        display_name: the name of the file in errors, where the user knows it by another one.
        max_sentence_tokens: how many rows may follow each other without a blank line.

    Yields:
        Each sentence's block, and before it, not raised, what is wrong with its lines. A block that lost all
        of its lines is left out. A file without a sentence ends with an error that says so.

    Raises:
        CorpusError: the file cannot be read to its end (see `scan_lines`), or a sentence is too long.
    """
    name = display_name or str(path)
    parse, trailing_blanks = layout.parse, layout.trailing_blanks
    block = Block(name, layout)
    line, found = 0, False
    for line, text in enumerate(scan_lines(path, display_name=name), start=1):
        if isinstance(text, CorpusError):
            block.broken = found = True
            yield text
            continue
        text = text.rstrip(trailing_blanks)
        outcome = parse(text, line, block) if text else LineKind.DOCUMENT_BREAK
        if isinstance(outcome, list):
            block.lines.append(line)
            block.texts.append(text)
            block.rows.append(outcome)
            if len(block.rows) > max_sentence_tokens:
                raise _too_long(block, max_sentence_tokens)
        elif outcome is LineKind.COMMENT:
            block.comments.append(text)
        elif outcome is LineKind.DOCUMENT_BREAK:
            if block.rows:
                found = True
                yield block
            block = Block(name, layout)
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
            received=f"{line} lines, none of them with a token",
            remedy="check that this is the file that was meant",
        )


def read_sentences(
    blocks: Iterable[Block | CorpusError],
    *,
    tag_column: str,
    tag_scheme: str | None = None,
    tag_repair: bool = False,
    on_repair: Callable[[Sentence, int], None] | None = None,
) -> Iterator[Sentence]:
    """Make sentences of blocks, and stop at the first thing that is wrong.

    Args:
        blocks: what `scan_blocks` yields.
        tag_column: the column to take the tags from.
        tag_scheme: the scheme in which they must be valid, or None for tags that spell no spans.
        tag_repair: repair invalid sequences of tags as `repair_tags` does, instead of refusing them.
        on_repair: called with each repaired sentence and the number of tags that were changed in it.

    Yields:
        The sentences.

    Raises:
        CorpusError: the first error among the blocks, or the first invalid tag or transition.
    """
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
    """Say where in the file a tag or transition is invalid, and which scheme would fit the sentence."""
    tags = block.column(tag_column)
    known = is_valid_tag(tags[problem.position], scheme=tag_scheme)
    others = [scheme for scheme in (*TAG_SCHEMES, "BILOU") if validate_tags(tags, scheme=scheme) is None]
    remedy = "mend the tags, or set tag_repair to read them as the CoNLL evaluation script would"
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


def _too_long(block: Block, max_sentence_tokens: int) -> CorpusError:
    return CorpusError(
        "the sentence is too long",
        file=block.file,
        line=block.lines[0],
        expected=f"at most {max_sentence_tokens} tokens before the next blank line",
        received="more",
        remedy="put a blank line after each sentence",
    )
