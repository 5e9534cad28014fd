"""Joining two annotations of the same sentences, and the layout of Universal NER files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from seqlab.corpus.blocks import Block, LineKind
from seqlab.errors import CorpusError

_REMEDY = "the two files are different versions: use the commits that belong together"


def join_by_id(words: Iterable[Block], annotations: Iterable[Block]) -> Iterator[tuple[Block, Block]]:
    """Yield pairs of blocks with the same `sent_id` and equal tokens, in the order of `words`.

    Args:
        words: blocks of one file.
        annotations: blocks of the other file, all held in memory.

    Raises:
        CorpusError: an id is missing, duplicate or in only one of the files; or tokens differ.
    """
    by_id: dict[str, Block] = {}
    for annotation in annotations:
        _add_by_id(by_id, annotation)
    joined: dict[str, Block] = {}
    for block in words:
        identity = _add_by_id(joined, block)
        if identity not in by_id:
            raise _without_counterpart(block, identity)
        yield _agreeing(block, by_id[identity])
    for identity, annotation in by_id.items():
        if identity not in joined:
            raise _without_counterpart(annotation, identity)


def join_in_order(words: Iterable[Block], annotations: Iterable[Block]) -> Iterator[tuple[Block, Block]]:
    """Yield pairs of blocks at the same position, with equal tokens.

    Raises:
        CorpusError: one of the files has more sentences, or tokens differ.
    """
    for index, (block, annotation) in enumerate(zip_longest(words, annotations), start=1):
        if block is None or annotation is None:
            raise _without_counterpart(block or annotation, f"sentence {index}")
        yield _agreeing(block, annotation)


def _add_by_id(blocks: dict[str, Block], block: Block) -> str:
    identity = block.metadata("sent_id")
    if not identity or identity in blocks:
        raise CorpusError(
            "a sentence has a duplicate id" if identity else "a sentence has no id",
            file=block.file,
            line=block.lines[0],
            expected="a comment '# sent_id = ...' with a unique id before each sentence",
            received=f"{identity}, as in line {blocks[identity].lines[0]}" if identity else "none",
        )
    blocks[identity] = block
    return identity


def _agreeing(block: Block, annotation: Block) -> tuple[Block, Block]:
    tokens, others = annotation.column("token"), block.column("token")
    if tokens == others:
        return block, annotation
    at = next((i for i, pair in enumerate(zip(tokens, others, strict=False)) if pair[0] != pair[1]), None)
    if at is None:
        at = min(len(tokens), len(others))
    expected = repr(others[at]) if at < len(others) else "the end of the sentence"
    received = repr(tokens[at]) if at < len(tokens) else "the end of the sentence"
    raise CorpusError(
        f"the tokens of a sentence differ, starting at token {at + 1}",
        file=annotation.file,
        line=annotation.lines[min(at, len(tokens) - 1)],
        expected=f"{expected}, as at {block.file}:{block.lines[min(at, len(others) - 1)]}",
        received=received,
        remedy=_REMEDY,
    )


def _without_counterpart(block: Block, identity: str) -> CorpusError:
    return CorpusError(
        "a sentence has no counterpart",
        file=block.file,
        line=block.lines[0],
        expected="the same sentences in both files",
        received=identity,
        remedy=_REMEDY,
    )


class UniversalNerLayout:
    """The layout of Universal NER files: id, word, tag and sometimes annotators' notes, separated by tabs.

    Columns after the third are ignored. A line of blanks ends a sentence.
    """

    columns = ("id", "token", "ner")
    trailing_blanks = " \t"

    def parse(self, text: str, line: int, block: Block) -> list[str] | LineKind | tuple[CorpusError, ...]:
        if text[0] == "#" and "\t" not in text:
            return LineKind.COMMENT
        fields = text.split("\t")[: len(self.columns)]
        expected_id = str(len(block.rows) + 1)
        if len(fields) == len(self.columns) and "" not in fields and fields[0] == expected_id:
            return fields
        return (
            CorpusError(
                "this line is not a word with a tag",
                file=block.file,
                line=line,
                expected=f"{expected_id}, a word and a tag, separated by tabs",
                received=repr(text[:80]),
                remedy="number the words of each sentence from 1, and put a blank line after each sentence",
            ),
        )
