"""The error of everything that reads, validates or writes a corpus."""

from __future__ import annotations

from seqlab.errors import SeqlabError


def location(file: str, line: int = 0, column: int = 0) -> str:
    """Write a place as `file`, `file:line` or `file:line:column`.

    Args:
        file: the file as the user knows it.
        line: 1-based, 0 where no line is meant.
        column: 1-based, counted in characters, 0 where no column is meant.
    """
    return ":".join([file, *(str(number) for number in (line, column) if number)])


class CorpusError(SeqlabError):
    """Something wrong with a corpus, and where it stands.

    Readers raise it; `scan_conll` and `scan_conllu` yield it instead, so that a check can go on.

    Args:
        what: what is wrong, in one line.
        file: the file as the user knows it.
        line: 1-based line, 0 where the file as a whole is meant.
        column: 1-based character of that line, 0 where the whole line is meant.
        where: a place that is no file, such as a parameter's name; used where `file` is empty.
        expected: what would have been right.
        received: what was found instead.
        remedy: what to do now.
    """

    def __init__(
        self,
        what: str,
        *,
        file: str = "",
        line: int = 0,
        column: int = 0,
        where: str = "",
        expected: str = "",
        received: str = "",
        remedy: str = "",
    ) -> None:
        self.file, self.line, self.column = file, line, column
        super().__init__(
            what,
            where=location(file, line, column) if file else where,
            expected=expected,
            received=received,
            remedy=remedy,
        )
