"""CoNLL-U: the format of Universal Dependencies, ten columns separated by tabs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from seqlab.corpus.blocks import Block, LineKind, column_of
from seqlab.errors import CorpusError, MissingTagError

CONLLU_COLUMNS = ("id", "token", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
CONLLU_TAG_COLUMNS = ("upos", "xpos")

_RANGE_OR_EMPTY_NODE = re.compile(r"[1-9][0-9]*-[1-9][0-9]*|[0-9]+\.[1-9][0-9]*")
_UNSPECIFIED = "_"


@dataclass(frozen=True)
class ConlluLayout:
    """The layout of CoNLL-U files: https://universaldependencies.org/format.html.

    Multi-word tokens (`1-2`) and empty nodes (`8.1`) are ignored, because only words have tags.

    Args:
        tag_column: `upos` or `xpos`, if every word must have a tag in it; `_` means that the tag is unknown.
    """

    tag_column: str | None = None
    columns = CONLLU_COLUMNS
    trailing_blanks = " "

    def parse(self, text: str, line: int, block: Block) -> list[str] | LineKind | tuple[CorpusError, ...]:
        """Parse a non-empty line into its ten fields. Return its kind if it is not a word, or its error."""
        if text[0] == "#":
            return LineKind.COMMENT
        fields = text.split("\t")
        if len(fields) != len(CONLLU_COLUMNS):
            error = CorpusError(
                "wrong number of columns",
                file=block.file,
                line=line,
                expected=f"the 10 columns of CoNLL-U separated by tabs ({', '.join(CONLLU_COLUMNS)})",
                received=f"{len(fields)}: {text[:80]!r}",
                remedy="fix the line, or remove .conllu from the file's name if it is in another format",
            )
            return (error,)
        expected_id = str(len(block.rows) + 1)
        tag_index = CONLLU_COLUMNS.index(self.tag_column) if self.tag_column else None
        if "" in fields:
            index = fields.index("")
            what = "empty token" if index == 1 else f"empty field in column {CONLLU_COLUMNS[index]}"
            expected, remedy = "at least one character", "write '_' if the value is unknown"
        elif fields[0] != expected_id and _is_range_or_empty_node(fields[0]):
            return LineKind.IGNORED
        elif fields[0] != expected_id and not (block.broken and re.fullmatch("[0-9]+", fields[0])):
            index, what = 0, "wrong word id"
            expected = f"{expected_id}, a range such as 1-2, or an empty node such as 1.1"
            remedy = "number the words of each sentence from 1, and put a blank line after each sentence"
        elif tag_index is not None and fields[tag_index] == _UNSPECIFIED:
            index, what = tag_index, f"no tag in column {self.tag_column}"
            expected = "a tag for each word"
            remedy = "set the task's column to another one, or remove the task; not every treebank has both"
        else:
            return fields
        error = (MissingTagError if what.startswith("no tag") else CorpusError)(
            what,
            file=block.file,
            line=line,
            column=column_of(text, fields, index),
            expected=expected,
            received=repr(text[:80] if index else fields[0]),
            remedy=remedy,
        )
        return (error,)


def _is_range_or_empty_node(word_id: str) -> bool:
    if _RANGE_OR_EMPTY_NODE.fullmatch(word_id) is None:
        return False
    first, dash, last = word_id.partition("-")
    return not dash or (len(first), first) < (len(last), last)
