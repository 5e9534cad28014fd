"""The files of a corpus: their addresses, and the pins that say what their bytes must be."""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seqlab.errors import CorpusError

_DIGEST_LENGTHS = {"sha256": 64, "git-blob": 40}
_PIN_FORMAT = re.compile(r"(?P<algorithm>sha256|git-blob):(?P<digest>[0-9a-f]+)(?::(?P<size>[0-9]+))?")


class PinMismatchError(CorpusError):
    """A file whose bytes differ from the pinned ones."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A file's digest and, if known, its size.

    Args:
        algorithm: `sha256`, or `git-blob`: the id under which git stores the file, the SHA-1 of
            `"blob <size>\\0"` and the content, which a repository shows without a download.
        digest: lower-case hexadecimal digits.
        size: bytes, None if unknown.

    Raises:
        CorpusError: unknown algorithm, or a digest of the wrong length.
    """

    algorithm: str
    digest: str
    size: int | None = None

    def __post_init__(self) -> None:
        if len(self.digest) != _DIGEST_LENGTHS.get(self.algorithm):
            raise _not_a_pin(f"{self.algorithm}:{self.digest}")

    @classmethod
    def parse(cls, text: str) -> Pin:
        """Read `sha256:<hex>` or `git-blob:<hex>`, optionally followed by `:<bytes>`.

        Raises:
            CorpusError: any other text.
        """
        match = _PIN_FORMAT.fullmatch(text.strip())
        if match is None:
            raise _not_a_pin(text)
        return cls(match["algorithm"], match["digest"], int(match["size"]) if match["size"] else None)

    @classmethod
    def of_file(cls, path: Path, *, algorithm: str = "sha256") -> Pin:
        """Compute the pin of a file."""
        size = path.stat().st_size
        start = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        with path.open("rb") as file:
            hasher = hashlib.file_digest(file, "sha256" if algorithm == "sha256" else lambda: start)
        return cls(algorithm, hasher.hexdigest(), size)

    def matches(self, path: Path) -> bool:
        """Return whether the file exists and has the pinned bytes."""
        if not path.is_file() or (self.size is not None and path.stat().st_size != self.size):
            return False
        return Pin.of_file(path, algorithm=self.algorithm).digest == self.digest

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a corpus.

    Args:
        url: its origin.
        pin: what its bytes must be.
        split: `train`, `dev` or `test`; empty for an archive of all three.
        role: what the file provides, in the builder's words (`entities`, `words`).
    """

    url: str
    pin: Pin
    split: str = ""
    role: str = ""

    @property
    def mirror_path(self) -> str:
        """The file's path below the base of a mirror: `<host>/<path>`."""
        parts = urllib.parse.urlsplit(self.url)
        path = PurePosixPath(urllib.parse.unquote(parts.path).lstrip("/"))
        if not parts.hostname or ".." in path.parts:
            raise CorpusError("this address has no path below a mirror", received=self.url)
        return f"{parts.hostname}/{path}"


def verify(path: Path, pin: Pin, *, source: str) -> None:
    """Compare a file with its pin; the error says what the file looks like.

    Raises:
        PinMismatchError: other bytes.
    """
    actual = Pin.of_file(path, algorithm=pin.algorithm)
    if actual.digest == pin.digest:
        return
    with path.open("rb") as file:
        start = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    sizes = f"{actual.size} bytes instead of {pin.size}"
    remedy = "download it again; if the error persists, this location has another version or a damaged copy"
    if start.startswith(b"<") and (b"<html" in start or b"<!doctype html" in start):
        what = "the server sent an HTML page instead of the file"
        remedy = "open the address in a browser: it may ask for a login or report an error"
    elif pin.size is not None and actual.size is not None and actual.size < pin.size:
        what = f"the file is truncated: {sizes}"
    elif pin.size is not None and actual.size != pin.size:
        what = f"the file has another size: {sizes}"
    else:
        what = "the file's bytes differ from the pinned ones"
    raise PinMismatchError(
        what, where=source, expected=str(pin), received=str(actual), remedy=f"{remedy}. No bytes were kept"
    )


def _not_a_pin(text: str) -> CorpusError:
    return CorpusError(
        "not a pin",
        expected="sha256:<64 hexadecimal digits> or git-blob:<40 hexadecimal digits>, lower case, "
        "optionally followed by :<bytes>",
        received=repr(text),
    )
