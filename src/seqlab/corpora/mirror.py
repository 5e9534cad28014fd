"""Where a corpus's files are looked for: what is here, a mirror, their origin; in this order."""

from __future__ import annotations

import os
import time
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seqlab.corpora.download_progress import download_progress
from seqlab.corpora.fetching import NotThereError, UnreachableError, fetch_file
from seqlab.corpora.pins import Pin, matches_pin
from seqlab.errors import CorpusError

MIRROR_VARIABLE = "SEQLAB_CORPUS_MIRROR"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a corpus.

    Args:
        url: its origin.
        pin: what its bytes must be.
        split: `train`, `dev` or `test`; empty for an archive of all three.
        role: what the file gives, in the builder's own words (`entities`, `tags`).
    """

    url: str
    pin: Pin
    split: str = ""
    role: str = ""

    @property
    def mirror_path(self) -> str:
        """Where the file lies below a mirror's base: `<host>/<path>`."""
        parts = urllib.parse.urlsplit(self.url)
        path = PurePosixPath(urllib.parse.unquote(parts.path).lstrip("/"))
        if not parts.hostname or ".." in path.parts:
            raise CorpusError("not an address that a mirror can hold", received=self.url)
        return f"{parts.hostname}/{path}"


class FilesUnavailableError(CorpusError):
    """Files that are neither here, nor in the mirror, nor to be had from their origin."""


def mirror_base(setting: str | None = None) -> str | None:
    """Give the mirror to use: the setting, or what the environment's SEQLAB_CORPUS_MIRROR says.

    Args:
        setting: `corpus.mirror`: a folder, or a `file://`, `http://` or `https://` address.

    Returns:
        The base, None where no mirror is set.
    """
    return setting or os.environ.get(MIRROR_VARIABLE) or None


def mirror_location(base: str, source: Source) -> str:
    """Give the place of a file below a mirror's base."""
    if "://" in base:
        return f"{base.rstrip('/')}/{urllib.parse.quote(source.mirror_path)}"
    return str(Path(base).expanduser() / source.mirror_path)


def fetch_sources(
    sources: Sequence[Source],
    downloads: Path,
    *,
    mirror: str | None = None,
    offline_corpora: Sequence[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Path]:
    """Bring all files of a corpus to `downloads`, each verified.

    They come to lie there as in a mirror, `<host>/<path>`, so that the folder is a mirror for others. A file
    that is there with the right bytes is not fetched again.

    Args:
        sources: the files.
        downloads: the folder.
        mirror: its base, asked before the origin. See `mirror_base`.
        offline_corpora: names of corpora that need no files, for the message.
        sleep: waits between two attempts, in seconds.

    Returns:
        The path of each file by its address.

    Raises:
        PinMismatchError: a place gave other bytes than the pinned ones.
        FilesUnavailableError: some files are not to be had. The message names each of them, where it was
            looked for, and the place to put it.
    """
    paths: dict[str, Path] = {}
    missing: list[tuple[Source, list[str]]] = []
    silent_hosts: set[str] = set()
    for source in sources:
        path = downloads / source.mirror_path
        if not matches_pin(path, source.pin):
            failures = _fetch_from_any_place(source, path, mirror, silent_hosts, sleep)
            if failures:
                missing.append((source, failures))
        paths[source.url] = path
    if missing:
        raise _unavailable(missing, downloads, mirror, offline_corpora)
    return paths


def _fetch_from_any_place(
    source: Source, path: Path, mirror: str | None, silent_hosts: set[str], sleep: Callable[[float], None]
) -> list[str]:
    """Try the mirror and the origin; give what each of them said, nothing where one had the file.

    A host that did not answer is not asked for the corpus's other files.
    """
    locations = [mirror_location(mirror, source)] if mirror else []
    failures = []
    for location in [*locations, source.url]:
        host = urllib.parse.urlsplit(location).netloc
        if host and host in silent_hosts:
            failures.append(f"{location}: no answer from this host")
            continue
        try:
            with download_progress(path.name) as report:
                fetch_file(location, path, pin=source.pin, sleep=sleep, report=report)
        except UnreachableError as error:
            silent_hosts.add(host)
            failures.append(f"{location}: {error.what}: {error.received}")
        except NotThereError as error:
            failures.append(f"{location}: {error.what}")
        else:
            return []
    return failures


def _unavailable(
    missing: list[tuple[Source, list[str]]],
    downloads: Path,
    mirror: str | None,
    offline_corpora: Sequence[str],
) -> FilesUnavailableError:
    wanted = "".join(f"\n    {source.mirror_path} ({source.pin})" for source, _ in missing)
    tried = "".join(f"\n    {failure}" for _, failures in missing for failure in failures)
    place = mirror if mirror and "://" not in mirror else "a folder"
    offline = f"; or set corpus.name to {' or '.join(offline_corpora)}, which need no network"
    return FilesUnavailableError(
        f"{len(missing)} of the corpus's files cannot be had",
        expected=f"below a mirror's base, or below {downloads}:{wanted}",
        received=f"nothing at{tried}",
        remedy=f"connect to the network; or put the files, under the paths above, into {place} and name it "
        f"in corpus.mirror or in {MIRROR_VARIABLE}{offline if offline_corpora else ''}",
    )
