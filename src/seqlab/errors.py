"""The one error that a user is meant to read."""

from __future__ import annotations


class SeqlabError(Exception):
    """Something the user can put right, said in full.

    The message reads, each part on a line of its own and left out where it is empty::

        data/train.conll:17: wrong number of columns
          expected: 4 columns (token, upos, xpos, ner)
          received: 3 columns: 'From ADP IN'
          remedy: write the missing column, or name the columns in corpus.files.columns

    Args:
        what: what is wrong, in one line.
        where: `file`, `file:line` or `file:line:column` for data, a parameter's name for a parameter.
        expected: what would have been right.
        received: what was found instead.
        remedy: what to do now.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        expected: str = "",
        received: str = "",
        remedy: str = "",
    ) -> None:
        self.what, self.where = what, where
        self.expected, self.received, self.remedy = expected, received, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        first = f"{self.where}: {self.what}" if self.where else self.what
        parts = [("expected", self.expected), ("received", self.received), ("remedy", self.remedy)]
        return "\n".join([first, *(f"  {name}: {text}" for name, text in parts if text)])


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
