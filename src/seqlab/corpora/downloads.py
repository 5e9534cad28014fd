"""Downloading a corpus's files: pinned, verified, resumable, from a mirror or from their origin."""

from __future__ import annotations

import base64
import http.client
import logging
import os
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from seqlab.corpora.pins import Pin, PinMismatchError, Source, verify
from seqlab.credentials import without_credentials
from seqlab.errors import CorpusError

logger = logging.getLogger(__name__)

MIRROR_VARIABLE = "SEQLAB_CORPUS_MIRROR"
ATTEMPTS = 4
TIMEOUT_S = 30.0
_LONGEST_PAUSE_S = 30.0
_BLOCK_SIZE = 1 << 16
_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

Report = Callable[[int, int | None], None]
"""Called with the bytes received so far and the total, None if unknown."""


class NotFoundError(CorpusError):
    """The location answers and does not have the file."""


class UnreachableError(CorpusError):
    """The location did not answer, or broke off, in every attempt."""


class FilesUnavailableError(CorpusError):
    """Files that are neither downloaded, nor in the mirror, nor available from their origin."""


class _BrokenOffError(Exception):
    """The connection ended before the body did."""


def fetch_sources(
    sources: Sequence[Source],
    downloads: Path,
    *,
    mirror: str | None = None,
    offline_corpora: Sequence[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Path]:
    """Download all files of a corpus, each verified.

    They are stored as in a mirror, `<host>/<path>`, so that the folder can serve as one. A file that is
    already there with the right bytes is not downloaded again.

    Args:
        sources: the files.
        downloads: the folder.
        mirror: a folder or an address, tried before the origin. Defaults to the environment's
            SEQLAB_CORPUS_MIRROR.
        offline_corpora: names of corpora that need no download, for the error message.
        sleep: waits between two attempts, in seconds.

    Returns:
        The path of each file by its address.

    Raises:
        PinMismatchError: a location returned other bytes than the pinned ones.
        FilesUnavailableError: names each missing file, the locations tried, and where to put the file.
    """
    mirror = mirror_of(mirror)
    paths: dict[str, Path] = {}
    missing: list[tuple[Source, list[str]]] = []
    silent_hosts: set[str] = set()
    for source in sources:
        path = downloads / source.mirror_path
        if not source.pin.matches(path):
            failures = _fetch_from_any(source, path, mirror, silent_hosts, sleep)
            if failures:
                missing.append((source, failures))
        paths[source.url] = path
    if missing:
        wanted = "".join(f"\n    {source.mirror_path} ({source.pin})" for source, _ in missing)
        tried = "".join(f"\n    {failure}" for _, failures in missing for failure in failures)
        place = without_credentials(mirror) if mirror and "://" not in mirror else "a folder"
        offline = f"; or set corpus.name to {' or '.join(offline_corpora)}, which need no network"
        raise FilesUnavailableError(
            f"{len(missing)} of the corpus's files are not available",
            expected=f"below a mirror's base, or below {downloads}:{wanted}",
            received=f"nothing at{tried}",
            remedy=f"connect to the network; or put the files, under the paths above, into {place} and name "
            f"it in corpus.mirror or in {MIRROR_VARIABLE}{offline if offline_corpora else ''}",
        )
    return paths


def _fetch_from_any(
    source: Source, path: Path, mirror: str | None, silent_hosts: set[str], sleep: Callable[[float], None]
) -> list[str]:
    """Try the mirror, then the origin; return the failures, or nothing if one of them had the file.

    A host that did not answer is not asked for the corpus's other files.
    """
    locations = [source.url]
    if mirror:
        locations.insert(0, location_in_mirror(mirror, source.mirror_path))
    failures = []
    for location in locations:
        host, shown = urllib.parse.urlsplit(location).netloc, without_credentials(location)
        if host and host in silent_hosts:
            failures.append(f"{shown}: no answer from this host")
            continue
        try:
            with _progress(path.name) as report:
                fetch_file(location, path, pin=source.pin, sleep=sleep, report=report)
        except UnreachableError as error:
            silent_hosts.add(host)
            failures.append(f"{shown}: {error.what}: {error.received}")
        except NotFoundError as error:
            failures.append(f"{shown}: {error.what}")
        else:
            return []
    return failures


def location_in_mirror(mirror: str, path: str) -> str:
    """Return where a mirror, a folder or an address, has the file of a path `<host>/<path>`."""
    if "://" in mirror:
        return f"{mirror.rstrip('/')}/{urllib.parse.quote(path)}"
    return str(Path(mirror).expanduser() / path)


def mirror_of(mirror: str | None) -> str | None:
    """Return the mirror to use: the given one, or else that of the environment.

    Raises:
        CorpusError: its address is invalid.
    """
    mirror = mirror or os.environ.get(MIRROR_VARIABLE) or None
    if mirror:
        _check_address(mirror)
    return mirror


def fetch_unpinned_file(location: str, destination: Path) -> None:
    """Copy or download a file of which no digest is known; the arguments are those of `fetch_file`.

    Raises:
        NotFoundError: there is no such file, or it cannot be read.
        UnreachableError: no complete answer in any attempt.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(f"{destination.name}.part")
    partial.unlink(missing_ok=True)
    if urllib.parse.urlsplit(location).scheme in ("http", "https"):
        with _progress(destination.name) as report:
            _download(location, partial, Pin("sha256", "0" * 64), ATTEMPTS, time.sleep, report)
    else:
        _copy(location, partial)
    partial.replace(destination)


def fetch_file(
    location: str,
    destination: Path,
    *,
    pin: Pin,
    attempts: int = ATTEMPTS,
    sleep: Callable[[float], None] = time.sleep,
    report: Report = lambda done, total: None,
) -> None:
    """Copy or download a file to `destination` and verify it.

    The destination appears in one step, after verification. Until then the bytes received are kept beside it
    under a name that contains the pin: a later attempt, also of another process, resumes there if the server
    supports ranges, and starts again if it does not.

    Args:
        location: an `http://`, `https://` or `file://` address, or a path.
        destination: the file to write.
        pin: what its bytes must be.
        attempts: how often to try a server that is busy or breaks off.
        sleep: waits between two attempts: 1, 2, 4... seconds, at most 30.
        report: called with the progress.

    Raises:
        NotFoundError: there is no such file, or it cannot be read.
        UnreachableError: no complete answer in any attempt.
        PinMismatchError: the bytes differ from the pinned ones. None of them are kept.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(f"{destination.name}.{pin.digest[:12]}.part")
    if urllib.parse.urlsplit(location).scheme in ("http", "https"):
        resumed = _download(location, partial, pin, attempts, sleep, report)
        if resumed and not pin.matches(partial):
            # The parts may come from two versions of the file: start again.
            partial.unlink()
            _download(location, partial, pin, attempts, sleep, report)
    else:
        _copy(location, partial)
    try:
        verify(partial, pin, source=without_credentials(location))
    except PinMismatchError:
        partial.unlink()
        raise
    partial.replace(destination)


def _copy(location: str, partial: Path) -> None:
    parts = urllib.parse.urlsplit(location)
    path = Path(urllib.request.url2pathname(parts.path)) if parts.scheme == "file" else Path(location)
    if not path.is_file():
        raise NotFoundError("no such file", where=without_credentials(location))
    try:
        shutil.copyfile(path, partial)
    except OSError as error:
        raise NotFoundError("the file cannot be read", where=str(path), received=str(error)) from error


def _download(
    url: str, partial: Path, pin: Pin, attempts: int, sleep: Callable[[float], None], report: Report
) -> bool:
    """Download to `partial`, starting after the bytes that are there; return whether there were any."""
    where, reason = without_credentials(url), ""
    resumed = partial.exists() and partial.stat().st_size > 0
    for attempt in range(attempts):
        if attempt:
            sleep(min(2.0 ** (attempt - 1), _LONGEST_PAUSE_S))
            resumed = resumed or (partial.exists() and partial.stat().st_size > 0)
        try:
            _receive(url, partial, pin, report)
            return resumed
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.reason}"
            if error.code not in _RETRIED_STATUSES:
                raise NotFoundError(f"the server answers {reason}", where=where) from None
        except (OSError, http.client.HTTPException, _BrokenOffError) as error:
            reason = without_credentials(str(getattr(error, "reason", "") or error)) or type(error).__name__
    raise UnreachableError(f"no complete answer in {attempts} attempts", where=where, received=reason)


def _receive(url: str, partial: Path, pin: Pin, report: Report) -> None:
    """Request the missing bytes once and append them, or all bytes if the server does not support ranges."""
    here = partial.stat().st_size if partial.exists() else 0
    if here and here == pin.size:
        return
    address, authorization = _split_credentials(url)
    request = urllib.request.Request(address, headers={"User-Agent": "seqlab", "Accept-Encoding": "identity"})
    if here:
        request.add_header("Range", f"bytes={here}-")
    if authorization:
        request.add_unredirected_header("Authorization", authorization)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        partial.unlink()  # more is here than the server has, so it cannot be right
        raise _BrokenOffError("the server has fewer bytes than were here: starting again") from error
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            here = 0
        length = response.headers.get("Content-Length")
        total = here + int(length) if length is not None else None
        with partial.open("ab" if here else "wb") as file:
            report(here, total)
            while block := response.read(_BLOCK_SIZE):
                try:
                    file.write(block)
                    file.flush()
                except OSError as error:
                    raise CorpusError(
                        "the download cannot be written",
                        where=str(partial),
                        received=str(error),
                        remedy="free disk space; the bytes received are kept, and the download resumes there",
                    ) from error
                here += len(block)
                report(here, total)
                if pin.size is not None and here > pin.size:
                    return  # too long to be right: an endless answer ends here
    if total is not None and here < total:
        raise _BrokenOffError(f"the connection broke off after {here} of {total} bytes")


def _check_address(mirror: str) -> None:
    try:
        parts = urllib.parse.urlsplit(mirror)
        valid = parts.scheme not in ("http", "https") or (parts.hostname and (parts.port or True))
    except ValueError:
        valid = False
    if not valid:
        raise CorpusError(
            "the address of the mirror is invalid",
            where=f"corpus.mirror or {MIRROR_VARIABLE}",
            expected="a folder, or http(s)://host:port/path; in a user name or password, / ? # @ and : are "
            "percent-encoded",
            received=repr(without_credentials(mirror)),
            remedy="correct the address",
        )


def _split_credentials(url: str) -> tuple[str, str]:
    """Return an address without credentials, and the value of the header `Authorization` (basic), or ""."""
    parts = urllib.parse.urlsplit(url)
    user_info, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    encoded = base64.b64encode(urllib.parse.unquote(user_info).encode()).decode()
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), f"Basic {encoded}"


@contextmanager
def _progress(name: str) -> Iterator[Report]:
    """Show a download's progress: a bar on a terminal, else a log line at every tenth."""
    if not sys.stderr.isatty():
        tenths = -1

        def log(done: int, total: int | None) -> None:
            nonlocal tenths
            tenth = 10 * done // total if total else 0
            if tenth > tenths:
                tenths = tenth
                of_total = f" of {total:,} bytes ({10 * tenth} %)" if total else " bytes"
                logger.info("%s: %s%s", name, f"{done:,}", of_total)

        yield log
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
