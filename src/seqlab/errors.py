"""Errors that users can fix. The command line prints their messages without a traceback."""

from __future__ import annotations

import errno
import os


class SeqlabError(Exception):
    """An error that the user can fix.

    Each non-empty part of the message has its own line::

        data/train.conll:17: wrong number of columns
          expected: 4 columns (token, upos, xpos, ner) separated by tabs
          received: 3: 'From\\tADP\\tIN'
          remedy: name all columns of the file in order

    Args:
        what: what is wrong, in one line.
        where: a place other than a file, such as a parameter's name; ignored if `file` is given.
        file: the file, under the name that the user knows.
        line: 1-based line, 0 if the error concerns the whole file.
        column: 1-based character in that line, 0 if the error concerns the whole line.
        expected: what would have been correct.
        received: what was found instead.
        remedy: what to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        file: str = "",
        line: int = 0,
        column: int = 0,
        expected: str = "",
        received: str = "",
        remedy: str = "",
    ) -> None:
        self.what, self.expected, self.received, self.remedy = what, expected, received, remedy
        self.file, self.line, self.column = file, line, column
        self.where = ":".join(str(part) for part in (file, line, column) if part) if file else where
        super().__init__(str(self))

    def __str__(self) -> str:
        first = f"{self.where}: {self.what}" if self.where else self.what
        parts = [("expected", self.expected), ("received", self.received), ("remedy", self.remedy)]
        return "\n".join([first, *(f"  {name}: {text}" for name, text in parts if text)])


def disk_error(error: Exception) -> SeqlabError | None:
    """Return the error for a full disk, an exhausted quota, or a file over the system's limit; else None."""
    where, number = str(getattr(error, "filename", None) or ""), getattr(error, "errno", None)
    if number == errno.EFBIG:
        return SeqlabError(
            "the file is larger than the system allows",
            where=where,
            received=os.strerror(number),
            remedy="raise the limit on the size of files (`ulimit -f unlimited`), then run again",
        )
    for full in (errno.ENOSPC, errno.EDQUOT):
        # TensorFlow raises errors of its own, which quote the system.
        if number == full or os.strerror(full) in str(error):
            return no_space_error(where, received=os.strerror(full))
    return None


def no_space_error(where: str, *, received: str) -> SeqlabError:
    """Return the error for a full disk."""
    return SeqlabError(
        "no space is left on the disk",
        where=where,
        received=received,
        remedy="free some space (`dvc gc --workspace` removes old outputs from the cache), then run again",
    )


class CorpusError(SeqlabError):
    """An error in a corpus or its description. `scan_lines` and `scan_blocks` yield it for invalid lines."""


class MissingTagError(CorpusError):
    """A token has no tag in the column that is read."""
