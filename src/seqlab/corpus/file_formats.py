"""File formats that are not CoNLL, known by their names, and how to convert them."""

from __future__ import annotations

import shlex
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from seqlab.errors import CorpusError


class FileFormat(NamedTuple):
    """A format: its name in messages, and its name for `seqlab convert`, or None if that does not read it."""

    title: str
    source: str | None


BY_SUFFIX = {
    ".jsonl": FileFormat("JSON Lines", "json"),
    ".ndjson": FileFormat("JSON Lines", "json"),
    ".json": FileFormat("JSON", "json"),
    ".csv": FileFormat("CSV", "csv"),
    ".spacy": FileFormat("spaCy's binary format", "spacy"),
    ".parquet": FileFormat("Parquet", "parquet"),
    ".arrow": FileFormat("Arrow", "dataset"),
    ".ann": FileFormat("brat's standoff format", "brat"),
    ".xlsx": FileFormat("an Excel workbook", None),
    ".xls": FileFormat("an Excel workbook", None),
    ".docx": FileFormat("a Word document", None),
    ".pdf": FileFormat("PDF", None),
    ".xml": FileFormat("XML", None),
    ".html": FileFormat("HTML", None),
    ".pkl": FileFormat("a pickle", None),
    ".pickle": FileFormat("a pickle", None),
    ".zip": FileFormat("an archive", None),
    ".tar": FileFormat("an archive", None),
    ".tgz": FileFormat("an archive", None),
}
_DATASET_FILES = ("dataset_dict.json", "state.json", "dataset_info.json")


def suffix_of(path: Path) -> str:
    """Return a file's extension in lower case, without `.gz` or `.zst`."""
    return Path(path.name.removesuffix(".gz").removesuffix(".zst")).suffix.lower()


def is_conllu(path: str | PathLike[str]) -> bool:
    """Return whether a file is CoNLL-U by its name: `.conllu`, plain or compressed."""
    return suffix_of(Path(path)) == ".conllu"


def is_dataset_folder(path: Path) -> bool:
    """Return whether a folder holds a Hugging Face dataset, as `save_to_disk` writes it."""
    return path.is_dir() and any((path / name).is_file() for name in _DATASET_FILES)


def is_brat_folder(path: Path) -> bool:
    """Return whether a folder contains brat's `.ann` files."""
    return path.is_dir() and any(path.glob("*.ann"))


def find_foreign_format(path: str | PathLike[str]) -> CorpusError | None:
    """Return the error for a file or folder whose name shows another format than CoNLL, or None."""
    path = Path(path)
    if is_dataset_folder(path):
        found = FileFormat("a Hugging Face dataset", "dataset")
    elif is_brat_folder(path):
        found = FileFormat("a folder in brat's standoff format", "brat")
    elif path.is_file() and suffix_of(path) in BY_SUFFIX:
        found = BY_SUFFIX[suffix_of(path)]
    else:
        return None
    return foreign_format_error(path, found)


def foreign_format_error(path: Path, found: FileFormat) -> CorpusError:
    """Return the error for a file in that format, with the command that converts it."""
    remedy = "save it as CSV, JSON Lines or CoNLL"
    if found.source:
        source = path.parent if suffix_of(path) == ".ann" else path
        source = source if source.name not in ("", "..") else source.resolve()
        target = source.with_name(f"{source.name.split('.')[0]}.conll")
        if is_dataset_folder(source):
            target = source.with_name(f"{source.name}-conll")
        remedy = f"seqlab convert {shlex.quote(str(source))} --output {shlex.quote(str(target))}"
    return CorpusError(f"this is {found.title}, not CoNLL", file=str(path), remedy=remedy)


JSON_LINES = BY_SUFFIX[".jsonl"]
