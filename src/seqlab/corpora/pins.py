"""Pins: what a file's bytes must be, known before the file is."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from seqlab.errors import CorpusError

_DIGEST_LENGTHS = {"sha256": 64, "git-blob": 40}
_PIN_FORMAT = re.compile(r"(?P<algorithm>sha256|git-blob):(?P<digest>[0-9a-f]+)(?::(?P<size>[0-9]+))?")
_BLOCK_SIZE = 1 << 20


class PinMismatchError(CorpusError):
    """A file whose bytes are not the pinned ones."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A file's digest and, where known, its size.

    Args:
        algorithm: `sha256`, or `git-blob`: the id under which git stores a file, which is the SHA-1 of
            `"blob <size>\\0"` and the content, and can be read off a repository without the file.
        digest: lower-case hexadecimal.
        size: bytes, None where not known.
    """

    algorithm: str
    digest: str
    size: int | None = None

    def __post_init__(self) -> None:
        if len(self.digest) != _DIGEST_LENGTHS.get(self.algorithm):
            raise _not_a_pin(f"{self.algorithm}:{self.digest}")

    @classmethod
    def parse(cls, text: str) -> Pin:
        """Read `sha256:<hex>` or `git-blob:<hex>`, each with `:<bytes>` behind it where the size is known.

        Raises:
            CorpusError: any other text.
        """
        match = _PIN_FORMAT.fullmatch(text.strip())
        if match is None:
            raise _not_a_pin(text)
        size = match["size"]
        return cls(match["algorithm"], match["digest"], None if size is None else int(size))

    @classmethod
    def of_file(cls, path: Path, *, algorithm: str = "sha256") -> Pin:
        """Compute a file's pin, reading a block at a time."""
        size = path.stat().st_size
        if algorithm == "git-blob":
            hasher = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        else:
            hasher = hashlib.new(algorithm)
        with path.open("rb") as file:
            while block := file.read(_BLOCK_SIZE):
                hasher.update(block)
        return cls(algorithm, hasher.hexdigest(), size)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"


def matches_pin(path: Path, pin: Pin) -> bool:
    """Say whether the file is there and has the pinned bytes."""
    if not path.is_file() or (pin.size is not None and path.stat().st_size != pin.size):
        return False
    return Pin.of_file(path, algorithm=pin.algorithm).digest == pin.digest


def verify_pin(path: Path, pin: Pin, *, source: str) -> None:
    """Compare a file's bytes with the pinned ones.

    Args:
        path: the file.
        pin: what it must be.
        source: where the file came from, for the message.

    Raises:
        PinMismatchError: other bytes. The message names both digests and says what the file looks like:
            an HTML page, a truncated file, a longer one, or other bytes of the right length.
    """
    actual = Pin.of_file(path, algorithm=pin.algorithm)
    if actual.digest == pin.digest:
        return
    with path.open("rb") as file:
        beginning = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    sizes = f"{actual.size} bytes where {pin.size} were expected"
    if beginning.startswith(b"<") and (b"<html" in beginning or b"<!doctype html" in beginning):
        what = "an HTML page came instead of the file"
        remedy = "open the address in a browser: it may ask for a login, or report an error"
    elif pin.size is not None and actual.size is not None and actual.size < pin.size:
        what = f"the file is truncated: {sizes}"
        remedy = "fetch it again; if it stays so, the copy at that place is broken"
    elif pin.size is not None and actual.size != pin.size:
        what = f"the file is another one: {sizes}"
        remedy = "fetch it again; if it stays so, that place holds another version"
    else:
        what = "the file's bytes are not the pinned ones"
        remedy = "fetch it again; if it stays so, the copy at that place is damaged or another version"
    raise PinMismatchError(
        what,
        where=source,
        expected=str(pin),
        received=str(actual),
        remedy=f"{remedy}. Nothing of it was kept",
    )


def _not_a_pin(text: str) -> CorpusError:
    return CorpusError(
        "not a pin",
        expected="sha256:<64 hexadecimal digits> or git-blob:<40 hexadecimal digits>, lower case, "
        "followed by :<bytes> where the size is known",
        received=repr(text),
    )
