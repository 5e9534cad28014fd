"""Two annotations of the same sentences, brought together; nothing is joined that does not agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from seqlab.corpus.blocks import Block
from seqlab.errors import CorpusError

_REMEDY = "the two files are not of the same version: take the commits that belong together"


def join_by_id(words: Iterable[Block], annotations: Iterable[Block]) -> Iterator[tuple[Block, Block]]:
    """Join blocks whose comments hold the same `sent_id`, in the order of the words.

    Args:
        words: blocks of the one file.
        annotations: blocks of the other, all held in memory.

    Yields:
        Pairs of blocks with equal tokens.

    Raises:
        CorpusError: a sentence without an id, or with one that was there before; an id that only one of the
            files has; or tokens that differ.
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
    """Join the first block with the first, the second with the second, and so on.

    Args:
        words: blocks of the one file.
        annotations: blocks of the other.

    Yields:
        Pairs of blocks with equal tokens.

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
            "a sentence's id is not its own" if identity else "a sentence has no id",
            file=block.file,
            line=block.lines[0],
            expected="a comment '# sent_id = ...' before each sentence, each with another id",
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
        f"the tokens of a sentence do not agree, from token {at + 1} on",
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
