"""A mirror on the loopback interface, and made-up corpora to lie in it."""

from __future__ import annotations

import dataclasses
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seqlab.corpora.pins import Pin, Source
from seqlab.corpora.sources import corpus_by_name
from seqlab.corpus.blocks import scan_blocks
from seqlab.corpus.conllu import ConlluLayout

HTML_PAGE = b"<!DOCTYPE html>\n<html><title>Sorry</title></html>\n"


@dataclasses.dataclass
class Fault:
    """What goes wrong with one answer: another status or body, a connection that breaks off, no ranges."""

    status: int = 200
    location: str = ""
    body: bytes | None = None
    break_off_after: int | None = None
    without_ranges: bool = False
    without_length: bool = False


class LoopbackMirror:
    """Serves a folder over http on 127.0.0.1, counts what is asked, and fails where it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, str | None]] = []
        self.authorizations: list[str | None] = []
        self.faults: dict[str, list[Fault]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def put(self, path: str, content: bytes) -> str:
        """Put a file into the folder and give its address."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return f"{self.address}/{path}"

    def fail(self, path: str, *faults: Fault) -> None:
        """Have the next answers for a path go wrong, one after the other."""
        self.faults.setdefault(path, []).extend(faults)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.lstrip("/")
                wanted = self.headers.get("Range")
                mirror.requests.append((path, wanted))
                mirror.authorizations.append(self.headers.get("Authorization"))
                queue = mirror.faults.get(path)
                fault = queue.pop(0) if queue else Fault()
                file = mirror.folder / path
                body = fault.body
                if body is None and fault.status == 200:
                    if not file.is_file():
                        return self.send_error(404)
                    body = file.read_bytes()
                if fault.location:
                    self.send_response(fault.status)
                    self.send_header("Location", fault.location)
                    return self.end_headers()
                if fault.status != 200:
                    return self.send_error(fault.status)
                status, start = 200, 0
                if wanted and not fault.without_ranges:
                    status, start = 206, int(wanted.removeprefix("bytes=").removesuffix("-"))
                    if start >= len(body):
                        return self.send_error(416)
                self.send_response(status)
                rest = body[start:]
                if not fault.without_length:
                    self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(rest if fault.break_off_after is None else rest[: fault.break_off_after])
                self.close_connection = True

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def loopback_mirror(tmp_path):
    mirror = LoopbackMirror(tmp_path / "mirror")
    mirror.folder.mkdir()
    yield mirror
    mirror.close()


@pytest.fixture
def fault():
    return Fault


@pytest.fixture
def html_page():
    return HTML_PAGE


@pytest.fixture
def publish(loopback_mirror):
    """Put a file where a mirror holds it, and describe it as a corpus's source."""

    def put(url: str, text: str | bytes, split: str = "", role: str = "") -> Source:
        content = text if isinstance(text, bytes) else text.encode()
        path = Source(url, Pin("sha256", "0" * 64)).mirror_path
        loopback_mirror.put(path, content)
        pin = Pin.of_file(loopback_mirror.folder / path, algorithm="git-blob")
        return Source(url, pin, split, role)

    return put


SENTENCES = {
    "train": {
        "t-1": [("Ann", "PROPN", "NNP", "B-PER"), ("sailed", "VERB", "VBD", "O"), ("#", "SYM", "SYM", "O")],
        "t-2": [
            ("Old", "ADJ", "JJ", "B-LOC"),
            ("Harbour", "PROPN", "NNP", "I-LOC"),
            ("slept", "VERB", "VBD", "O"),
        ],
        "t-3": [
            ("It", "PRON", "PRP", "B-OTH"),
            ("rained", "VERB", "VBD", "I-OTH"),
            (".", "PUNCT", ".", "B-O"),
        ],
    },
    "dev": {
        "d-1": [("Tea", "NOUN", "NN", "O"), ("for", "ADP", "IN", "O"), ("Umbra", "PROPN", "NNP", "B-ORG")]
    },
    "test": {
        "e-1": [("Yes", "INTJ", "UH", "O")],
        "e-2": [("Ann", "PROPN", "NNP", "B-PER"), ("nods", "VERB", "VBZ", "O")],
    },
}
SIZES = {"train": 12_543, "dev": 2_001, "test": 2_077}


def conllu(sentences):
    """Write sentences as a treebank does: with a multi-word token and an empty node in each."""
    lines = []
    for identity, rows in sentences.items():
        lines += [f"# sent_id = {identity}", "# text = not needed", "1-2\tboth\t_\t_\t_\t_\t_\t_\t_\t_"]
        for number, (token, upos, xpos, _) in enumerate(rows, start=1):
            lines.append(f"{number}\t{token}\t_\t{upos}\t{xpos}\t_\t0\troot\t_\t_")
        lines += [f"{len(rows)}.1\tghost\t_\t_\t_\t_\t_\t_\t_\t_", ""]
    return "\n".join(lines) + "\n"


def iob2(sentences):
    """Write sentences as Universal NER does: some rows with notes, in another order than the treebank."""
    lines = []
    for identity, rows in reversed(sentences.items()):
        lines.append(f"# sent_id = {identity}")
        for number, (token, _, _, tag) in enumerate(rows, start=1):
            lines.append(f"{number}\t{token}\t{tag}" + ("\t-\tmax" if number == 1 else ""))
        lines.append("")
    return "\n".join(lines) + "\n"


@dataclasses.dataclass
class Treebank:
    """A corpus that lies in the loopback mirror, and its number of sentences by split."""

    corpus: object
    sizes: dict[str, int]


@pytest.fixture
def made_up_english(publish):
    """`uner_en_ewt` with made-up files."""
    corpus = corpus_by_name("uner_en_ewt")
    writers = {"words": conllu, "entities": iob2}
    sources = tuple(
        publish(source.url, writers[source.role](SENTENCES[source.split]), source.split, source.role)
        for source in corpus.sources
    )
    sizes = {split: len(sentences) for split, sentences in SENTENCES.items()}
    return Treebank(dataclasses.replace(corpus, sources=sources), sizes)


@pytest.fixture
def english(request, loopback_mirror):
    """`uner_en_ewt` with its real files where there are any, a made-up one for each that is not there."""
    real = os.environ.get("SEQLAB_TEST_MIRROR")
    if not real:
        return request.getfixturevalue("made_up_english")
    corpus, sources = corpus_by_name("uner_en_ewt"), []
    for source in corpus.sources:
        served = loopback_mirror.folder / source.mirror_path
        served.parent.mkdir(parents=True, exist_ok=True)
        there = Path(real) / source.mirror_path
        if there.is_file():
            served.write_bytes(there.read_bytes())
        else:
            words = next(s for s in corpus.sources if s.split == source.split and s.role == "words")
            served.write_text(_without_entities(Path(real) / words.mirror_path))
            source = dataclasses.replace(source, pin=Pin.of_file(served))
        sources.append(source)
    return Treebank(dataclasses.replace(corpus, sources=tuple(sources)), SIZES)


def _without_entities(words):
    lines = []
    for block in scan_blocks(words, layout=ConlluLayout()):
        lines.append(f"# sent_id = {block.metadata('sent_id')}")
        lines += [f"{i}\t{token}\tO" for i, token in enumerate(block.column("token"), start=1)]
        lines.append("")
    return "\n".join(lines) + "\n"
