"""The files of Universal NER: an id, a word and its tag between tabs, then annotators' notes or nothing."""

from __future__ import annotations

from seqlab.corpus.blocks import Block, LineKind
from seqlab.errors import CorpusError


class UniversalNerLayout:
    """How a Universal NER file's lines spell rows.

    Some lines of a file have two columns of notes and others have none, so that all after the third is left.
    A line of blanks ends a sentence, as an empty one does.
    """

    columns = ("id", "token", "ner")
    trailing_blanks = " \t"

    def parse(self, text: str, line: int, block: Block) -> list[str] | LineKind | tuple[CorpusError, ...]:
        """Split a line that is not blank into its fields, or say what it is, or what is wrong with it."""
        if text[0] == "#" and "\t" not in text:
            return LineKind.COMMENT
        fields = text.split("\t")[: len(self.columns)]
        expected_id = str(len(block.rows) + 1)
        if len(fields) == len(self.columns) and "" not in fields and fields[0] == expected_id:
            return fields
        return (
            CorpusError(
                "not a word with its tag",
                file=block.file,
                line=line,
                expected=f"{expected_id}, a word and a tag between tabs",
                received=repr(text[:80]),
                remedy="number each sentence's words from 1, with a blank line after each sentence",
            ),
        )

    def column_of(self, text: str, index: int) -> int:
        """Give the 1-based character on which the field of that index begins."""
        return sum(len(field) + 1 for field in text.split("\t")[:index]) + 1
