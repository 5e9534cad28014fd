"""CoNLL-U files: the format of Universal Dependencies, ten columns between tabs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from os import PathLike

from seqlab.corpus.blocks import Block, LineKind, read_sentences, scan_blocks
from seqlab.corpus.conll import check_tag_column
from seqlab.corpus.sentence import Sentence
from seqlab.errors import CorpusError
from seqlab.tags import canonical_tag_scheme

CONLLU_COLUMNS = ("id", "token", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
CONLLU_TAG_COLUMNS = ("upos", "xpos")

_RANGE_OR_EMPTY_NODE = re.compile(r"[1-9][0-9]*-[1-9][0-9]*|[0-9]+\.[1-9][0-9]*")
_UNSPECIFIED = "_"


class ConlluLayout:
    """How a CoNLL-U file's lines spell rows: https://universaldependencies.org/format.html.

    Multi-word tokens (`1-2`) and empty nodes (`8.1`) are skipped: tags belong to the words of the sentence.
    """

    columns = CONLLU_COLUMNS
    trailing_blanks = " "

    def parse(self, text: str, line: int, block: Block) -> list[str] | LineKind | tuple[CorpusError, ...]:
        """Split a line that is not blank into its ten fields, or say what it is, or what is wrong with it."""
        if text[0] == "#":
            return LineKind.COMMENT
        fields = text.split("\t")
        expected_id = str(len(block.rows) + 1)
        if len(fields) != len(CONLLU_COLUMNS):
            return (
                CorpusError(
                    "wrong number of columns",
                    file=block.file,
                    line=line,
                    expected=f"the 10 columns of CoNLL-U between tabs ({', '.join(CONLLU_COLUMNS)})",
                    received=f"{len(fields)}: {text[:80]!r}",
                    remedy="mend the line, or name the file without .conllu if it is none",
                ),
            )
        if "" in fields:
            empty = fields.index("")
            return (
                CorpusError(
                    "empty token" if empty == 1 else f"empty field in column {CONLLU_COLUMNS[empty]}",
                    file=block.file,
                    line=line,
                    column=self.column_of(text, empty),
                    expected="at least one character, '_' where nothing is known",
                    received=repr(text[:80]),
                ),
            )
        if fields[0] == expected_id or (block.broken and fields[0].isascii() and fields[0].isdigit()):
            return fields
        if _RANGE_OR_EMPTY_NODE.fullmatch(fields[0]):
            return LineKind.SKIPPED
        return (
            CorpusError(
                "wrong word id",
                file=block.file,
                line=line,
                column=1,
                expected=f"{expected_id}, a range such as 1-2, or an empty node such as 1.1",
                received=repr(fields[0]),
                remedy="number each sentence's words from 1, with a blank line after each sentence",
            ),
        )

    def column_of(self, text: str, index: int) -> int:
        """Give the 1-based character on which the field of that index begins."""
        return sum(len(field) + 1 for field in text.split("\t")[:index]) + 1


def scan_conllu(
    path: str | PathLike[str], *, display_name: str | None = None
) -> Iterator[Block | CorpusError]:
    """Read a CoNLL-U file's sentences with all columns, and go on after what is wrong (see `scan_blocks`).

    `block.metadata("sent_id")` gives a sentence's id.
    """
    return scan_blocks(path, layout=ConlluLayout(), display_name=display_name)


def read_conllu(
    path: str | PathLike[str],
    *,
    tag_column: str,
    tag_scheme: str | None = None,
    tag_repair: bool = False,
    on_repair: Callable[[Sentence, int], None] | None = None,
    display_name: str | None = None,
) -> Iterator[Sentence]:
    """Read a CoNLL-U file's sentences, in memory bounded by the longest sentence.

    Args:
        path: the file to read, plain, `.gz` or `.zst`.
        tag_column: `upos` or `xpos`.
        tag_scheme: as for `read_conll`, where the column spells spans.
        tag_repair: as for `read_conll`.
        on_repair: as for `read_conll`.
        display_name: the name of the file in errors, where the user knows it by another one.

    Returns:
        An iterator over the sentences.

    Raises:
        CorpusError: at once where there is no such tag column, and while reading at the first thing wrong in
            the file, with its line; a word without a tag (`_`) is one.
    """
    check_tag_column(tag_column, ("token", *CONLLU_TAG_COLUMNS))
    if tag_scheme is not None:
        tag_scheme = canonical_tag_scheme(tag_scheme)
    blocks = _refuse_unspecified(scan_conllu(path, display_name=display_name), tag_column)
    return read_sentences(
        blocks, tag_column=tag_column, tag_scheme=tag_scheme, tag_repair=tag_repair, on_repair=on_repair
    )


def _refuse_unspecified(
    blocks: Iterable[Block | CorpusError], tag_column: str
) -> Iterator[Block | CorpusError]:
    for block in blocks:
        if isinstance(block, Block) and _UNSPECIFIED in (tags := block.column(tag_column)):
            yield block.error(
                f"no tag in column {tag_column}",
                row=tags.index(_UNSPECIFIED),
                column=tag_column,
                expected="a tag for each word",
                received="'_', which stands for nothing known",
                remedy="take another column; not every treebank has all of them",
            )
        yield block
