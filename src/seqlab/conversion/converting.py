"""Converting files: which format they are in, what to write, and what to report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from seqlab.atomic import replaced_file
from seqlab.conversion.alignment import Misaligned
from seqlab.conversion.arrow_tables import find_splits, read_dataset, read_parquet
from seqlab.conversion.brat import read_brat
from seqlab.conversion.conll_records import read_conll, read_prediction_records
from seqlab.conversion.csv_rows import read_csv
from seqlab.conversion.json_records import read_json
from seqlab.conversion.records import Reading, Records
from seqlab.conversion.sentences import ConvertedSentence, make_sentences
from seqlab.conversion.spacy_docs import read_spacy
from seqlab.conversion.writers import SUFFIXES, write_sentences
from seqlab.corpus.conll import ConllLayout
from seqlab.corpus.file_formats import BY_SUFFIX, is_brat_folder, is_conllu, is_dataset_folder, suffix_of
from seqlab.corpus.findings import Findings
from seqlab.corpus.lines import scan_lines
from seqlab.errors import CorpusError
from seqlab.tags import find_unreadable_tag

SOURCES = ("json", "csv", "brat", "spacy", "dataset", "parquet", "conll", "predictions")
"""The formats that can be read."""


class Source(NamedTuple):
    """What is converted into one file: its name, its path, and one of `SOURCES`."""

    name: str
    path: Path
    format: str


@dataclass(slots=True)
class Conversion:
    """The result of converting one source.

    Args:
        source: what was converted.
        output: the file that was written.
        errors: what could not be read and was left out.
        warnings: what was left out of sentences or changed in them.
        sentences: the number of sentences that were written.
        tokens: the number of their tokens.
        columns: the names of the tag columns.
        readable: the number of tags in each column that look like spans.
    """

    source: Source
    output: Path
    errors: Findings = field(default_factory=Findings)
    warnings: Findings = field(default_factory=Findings)
    sentences: int = 0
    tokens: int = 0
    columns: tuple[str, ...] = ()
    readable: Counter[str] = field(default_factory=Counter)

    @property
    def span_columns(self) -> list[str]:
        """The columns in which most tags look like spans."""
        return [name for name in self.columns if 2 * self.readable[name] > self.tokens]


def find_sources(paths: Sequence[Path], *, source_format: str | None = None) -> list[Source]:
    """Find out what to convert and in which formats it is.

    Args:
        paths: files, or folders: of brat, of a dataset, or of several of these.
        source_format: one of `SOURCES`, or None to tell it from names and contents.

    Raises:
        CorpusError: a path does not exist, or its format is unknown.
    """
    return [source for path in paths for source in _find_sources(path, source_format)]


def _find_sources(path: Path, source_format: str | None) -> list[Source]:
    if not path.exists():
        raise CorpusError("no such file or folder", file=str(path), remedy="check the path")
    if source_format in (None, "dataset") and is_dataset_folder(path):
        return [Source(name, folder, "dataset") for name, folder in find_splits(path).items()]
    if source_format in (None, "brat") and is_brat_folder(path):
        return [Source(path.resolve().name, path, "brat")]
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]
        if not files:
            raise CorpusError("the folder has no files", file=str(path), expected="files to convert")
        return [source for file in files for source in _find_sources(file, source_format)]
    if not path.is_file():
        raise CorpusError(
            "this is not a regular file", file=str(path), expected="a file", remedy="check the path"
        )
    return [Source(path.name.split(".")[0] or path.stem, path, source_format or _format_of(path))]


def _format_of(path: Path) -> str:
    if (found := BY_SUFFIX.get(suffix_of(path))) and found.source:
        return found.source
    first = next((str(line) for line in scan_lines(path) if str(line).strip()), "")
    return "json" if first.lstrip()[:1] in ("{", "[") and not is_conllu(path) else "conll"


def convert_files(
    sources: Sequence[Source],
    output: Path,
    *,
    target: str | None = None,
    column: str | None = None,
    tag_scheme: str = "IOB2",
    sentences: Literal["text", "lines"] | None = None,
    misaligned: Misaligned = "expand",
    layout: ConllLayout,
    max_per_kind: int,
) -> list[Conversion]:
    """Convert sources, each into one file. Memory holds a few texts at a time.

    Records that cannot be read are left out and reported. A file is replaced only once it is complete.

    Args:
        sources: what `find_sources` returns.
        output: the file to write if there is one source and `output` has an extension, else a folder.
        target: one of `SUFFIXES`; None: `conll`, or `jsonl` from CoNLL and predictions.
        column: the column for tags that have no name, and the column that JSON is written from; None: `ner`,
            or the first one, or `predicted`.
        tag_scheme: the scheme for spans of texts; tags of tokens are written as they are.
        sentences: whether a `text` is a sentence, or each of its `lines`; None: lines for brat, else text.
        misaligned: see `align_spans`.
        layout: the layout of CoNLL files that are read.
        max_per_kind: errors and warnings of each kind to list.

    Raises:
        CorpusError: a file cannot be read to its end, two sources have one name, or nothing can be written.
    """
    conversions: list[Conversion] = []
    for source in sources:
        written = target or ("jsonl" if source.format in ("conll", "predictions") else "conll")
        file = output
        if len(sources) > 1 or not output.suffix or output.is_dir():
            file = output / f"{source.name}{SUFFIXES[written]}"
        if any(file == other.output for other in conversions):
            raise CorpusError(
                "two files would be written under one name",
                file=str(file),
                received=str(source.path),
                remedy="convert them into different folders",
            )
        if file.resolve() == source.path.resolve():
            raise CorpusError("the output is the input", file=str(file), remedy="name another --output")
        conversion = Conversion(source, file, Findings(max_per_kind), Findings(max_per_kind))
        reading = Reading(column or "ner", conversion.warnings)
        made = make_sentences(
            _read(source, reading, layout),
            reading=reading,
            tag_scheme=tag_scheme,
            split_lines=(sentences or ("lines" if source.format == "brat" else "text")) == "lines",
            misaligned=misaligned,
        )
        _write(conversion, made, written, column)
        conversions.append(conversion)
    return conversions


def _read(source: Source, reading: Reading, layout: ConllLayout) -> Records:
    path = source.path
    if source.format == "conll":
        return read_conll(path, layout)
    if source.format == "predictions":
        return read_prediction_records(path)
    readers = {
        "json": read_json,
        "csv": read_csv,
        "brat": read_brat,
        "spacy": read_spacy,
        "dataset": read_dataset,
        "parquet": read_parquet,
    }
    return readers[source.format](path, reading)


def _write(
    conversion: Conversion, made: Iterator[ConvertedSentence | CorpusError], target: str, column: str | None
) -> None:
    """Write and count the sentences of one source. Those with other columns than the first are errors."""

    def counted() -> Iterator[ConvertedSentence]:
        for sentence in made:
            if isinstance(sentence, CorpusError):
                conversion.errors.add(sentence)
                continue
            columns = tuple(sentence.columns)
            conversion.columns = conversion.columns or columns
            if columns != conversion.columns:
                conversion.errors.add(
                    CorpusError(
                        "left out: a sentence with other columns than the first one",
                        file=sentence.file,
                        line=sentence.line,
                        expected=", ".join(conversion.columns),
                        received=", ".join(columns),
                    )
                )
                continue
            conversion.sentences += 1
            conversion.tokens += len(sentence.tokens)
            for name, tags in sentence.columns.items():
                conversion.readable[name] += sum(find_unreadable_tag([tag]) is None for tag in tags)
            yield sentence

    first = next(kept := counted(), None)
    if first is None:
        if findings := [*conversion.errors.listed, *conversion.warnings.listed]:
            raise findings[0]
        raise CorpusError(
            "there is no sentence to write",
            file=str(conversion.source.path),
            expected="at least one text or sentence",
            received="an empty file",
        )
    name = _column(conversion, column) if target != "conll" else conversion.columns[0]

    def sentences() -> Iterator[ConvertedSentence]:
        yield first
        yield from kept

    with (
        replaced_file(conversion.output) as path,
        path.open("w", encoding="utf-8", newline="\n") as file,
    ):
        for part in write_sentences(sentences(), target, column=name):
            file.write(part)


def _column(conversion: Conversion, column: str | None) -> str:
    """Return the column that JSON is written from."""
    names = conversion.columns
    chosen = column or next((name for name in ("predicted", "ner") if name in names), names[0])
    if chosen not in names:
        raise CorpusError(
            "there is no such column",
            file=str(conversion.source.path),
            expected=", ".join(names),
            received=chosen,
            remedy="name one of them with --column",
        )
    return chosen
