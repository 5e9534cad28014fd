"""Getting one file, whole and verified, or not at all."""

from __future__ import annotations

import http.client
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from seqlab.corpora.download_progress import Report, no_progress
from seqlab.corpora.pins import Pin, PinMismatchError, matches_pin, verify_pin
from seqlab.errors import CorpusError

ATTEMPTS = 4
TIMEOUT_S = 30.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_BLOCK_SIZE = 1 << 16
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE_NOT_SATISFIABLE = 416


class NotThereError(CorpusError):
    """The place answers, and does not have the file."""


class UnreachableError(CorpusError):
    """The place did not answer, or broke off, as often as it was tried."""


class _BrokenOffError(Exception):
    """The connection ended before the body did."""


def fetch_file(
    location: str,
    destination: Path,
    *,
    pin: Pin,
    attempts: int = ATTEMPTS,
    timeout_s: float = TIMEOUT_S,
    sleep: Callable[[float], None] = time.sleep,
    report: Report = no_progress,
) -> None:
    """Bring a file to `destination`, verified.

    What has arrived is kept beside the destination, under a name that holds the pin, until the file is whole:
    an attempt that breaks off, or a process that is killed, is gone on with by the next one where the server
    takes ranges, and started anew where it does not. The destination appears in one step, after verification.

    Args:
        location: an `http://`, `https://` or `file://` address, or a path.
        destination: where the file shall lie.
        pin: what its bytes must be.
        attempts: how often to try an address whose answer breaks off or says that it is busy.
        timeout_s: how long to wait for a connection, and for each block, in seconds.
        sleep: waits between two attempts: 1, 2, 4... seconds, at most 30.
        report: called with the bytes here and the bytes in all.

    Raises:
        NotThereError: no such file, or one that may not be read.
        UnreachableError: no answer, or none that was whole, in all attempts.
        PinMismatchError: other bytes than the pinned ones. Nothing of them is kept.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(f"{destination.name}.{pin.digest[:12]}.part")
    scheme = urllib.parse.urlsplit(location).scheme
    if scheme in ("http", "https"):
        resumed = _download(location, partial, pin, attempts, timeout_s, sleep, report)
        if resumed and not matches_pin(partial, pin):
            # The two halves may be of two versions: the whole file from one answer decides.
            partial.unlink()
            _download(location, partial, pin, attempts, timeout_s, sleep, report)
    else:
        _copy(location, partial, report)
    try:
        verify_pin(partial, pin, source=location)
    except PinMismatchError:
        partial.unlink()
        raise
    partial.replace(destination)


def _copy(location: str, partial: Path, report: Report) -> None:
    """Copy a local file."""
    parts = urllib.parse.urlsplit(location)
    path = Path(urllib.request.url2pathname(parts.path)) if parts.scheme == "file" else Path(location)
    if not path.is_file():
        raise NotThereError("no such file", where=str(path))
    try:
        shutil.copyfile(path, partial)
    except OSError as error:
        raise NotThereError("the file cannot be read", where=str(path), received=str(error)) from error
    size = partial.stat().st_size
    report(size, size)


def _download(
    url: str,
    partial: Path,
    pin: Pin,
    attempts: int,
    timeout_s: float,
    sleep: Callable[[float], None],
    report: Report,
) -> bool:
    """Download to `partial`, going on with what is there; say whether anything was there."""
    resumed = partial.exists() and partial.stat().st_size > 0
    for attempt in range(1, attempts + 1):
        try:
            _receive(url, partial, pin, timeout_s, report)
            return resumed
        except urllib.error.HTTPError as error:
            if error.code not in _PASSING_STATUSES:
                raise NotThereError(f"the server answers {error.code} {error.reason}", where=url) from error
            reason = f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException, _BrokenOffError) as error:
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        if attempt < attempts:
            sleep(min(_FIRST_PAUSE_S * 2 ** (attempt - 1), _LONGEST_PAUSE_S))
            resumed = resumed or (partial.exists() and partial.stat().st_size > 0)
    raise UnreachableError(f"no whole answer in {attempts} attempts", where=url, received=reason)


def _receive(url: str, partial: Path, pin: Pin, timeout_s: float, report: Report) -> None:
    """Ask once for what is missing and append it, or for all where the server gives no ranges."""
    here = partial.stat().st_size if partial.exists() else 0
    if here and here == pin.size:
        return
    headers = {"User-Agent": "seqlab", "Accept-Encoding": "identity"}
    if here:
        headers["Range"] = f"bytes={here}-"
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != _RANGE_NOT_SATISFIABLE:
            raise
        partial.unlink()  # more is here than the server has: none of it can be right
        raise _BrokenOffError("the server has less than was here: starting anew") from error
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            here = 0
        length = response.headers.get("Content-Length")
        total = here + int(length) if length is not None else None
        with partial.open("ab" if here else "wb") as file:
            report(here, total)
            while block := response.read(_BLOCK_SIZE):
                _write(file, block, partial)
                here += len(block)
                report(here, total)
                if pin.size is not None and here > pin.size:
                    return  # already too long to be right: an endless answer must end here
    if total is not None and here < total:
        raise _BrokenOffError(f"the connection broke off after {here} of {total} bytes")


def _write(file: BinaryIO, block: bytes, path: Path) -> None:
    """Write, and keep a full disk apart from a broken connection."""
    try:
        file.write(block)
    except OSError as error:
        raise CorpusError(
            "the download cannot be written",
            where=str(path),
            received=str(error),
            remedy="make room, or name another folder; what has arrived is kept and gone on with",
        ) from error
