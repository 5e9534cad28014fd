"""Hugging Face datasets on disk, and Parquet files of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.conversion.records import Reading, Records, is_known_field, parse_record
from seqlab.errors import CorpusError

_ROWS_TOGETHER = 1_000
_MAX_METADATA_BYTES = 16 << 20
_NAME = re.compile(r"\w[\w.-]*")


def find_splits(path: Path) -> dict[str, Path]:
    """Return the folders of the splits of a dataset by name, or `path` itself if it is one.

    Raises:
        CorpusError: `dataset_dict.json` cannot be read, or names a folder elsewhere.
    """
    listing = path / "dataset_dict.json"
    if not listing.is_file():
        return {path.resolve().name: path}
    names = _read_json(listing).get("splits")
    if not isinstance(names, list) or not names or not all(_is_name(name) for name in names):
        raise CorpusError("the splits cannot be read", file=str(listing), received=repr(names)[:200])
    return {name: path / name for name in names}


def read_dataset(path: Path, reading: Reading) -> Records:
    """Read one split of a dataset as `save_to_disk` writes it: Arrow files, listed in `state.json`.

    Names of tags that are numbers come from the features of the dataset.
    """
    state = path / "state.json"
    if path.is_file():
        files = [path]
    elif state.is_file():
        entries = _read_json(state).get("_data_files")
        names = [entry.get("filename") for entry in entries or [] if isinstance(entry, dict)]
        if not names or not all(_is_name(name) for name in names):
            raise CorpusError("the files cannot be read", file=str(state), received=repr(entries)[:200])
        files = [path / str(name) for name in names]
    else:
        files = sorted(path.glob("*.arrow"))
    if not files or not all(file.is_file() for file in files):
        raise CorpusError(
            "the dataset has no Arrow files", file=str(path), expected="data-00000-of-00001.arrow"
        )
    info = path / "dataset_info.json"
    features = _read_json(info).get("features", {}) if info.is_file() else {}
    for file in files:
        yield from _read_rows(file, features if isinstance(features, dict) else {}, reading)


def read_parquet(path: Path, reading: Reading) -> Records:
    """Read a Parquet file. Names of tags that are numbers come from the metadata that `datasets` writes."""
    yield from _read_rows(path, {}, reading)


def _read_rows(path: Path, features: Mapping[str, Any], reading: Reading) -> Records:
    import pyarrow as pa

    try:
        for first, names, rows in _read_batches(path):
            found = {**features, **names}
            reading.tag_names = {
                name: classes for name, feature in found.items() if (classes := _class_names(feature))
            }
            for number, row in enumerate(rows, start=first):
                try:
                    record = parse_record(row, file=str(path), line=number, reading=reading)
                except CorpusError as error:
                    yield error
                else:
                    if record is not None:
                        yield record
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise CorpusError("the file cannot be read", file=str(path), received=str(error)) from error


def _read_batches(path: Path) -> Iterator[tuple[int, Mapping[str, Any], list[dict[str, Any]]]]:
    """Yield the number of the first row, the features in the file's metadata, and rows of known fields."""
    import pyarrow as pa
    import pyarrow.parquet

    if path.suffix == ".parquet":
        parquet = pa.parquet.ParquetFile(path)
        schema = parquet.schema_arrow
        columns = [name for name in schema.names if is_known_field(name)]
        batches = parquet.iter_batches(_ROWS_TOGETHER, columns=columns)
    else:
        source = pa.memory_map(str(path))
        try:
            batches = pa.ipc.open_stream(source)
            schema = batches.schema
        except pa.ArrowInvalid:
            source.seek(0)
            reader = pa.ipc.open_file(source)
            schema = reader.schema
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
    names = [name for name in schema.names if is_known_field(name)]
    features = _features(schema.metadata or {})
    row = 1
    for batch in batches:
        batch.validate(full=True)  # offsets in a damaged file may point outside its buffers
        for start in range(0, batch.num_rows, _ROWS_TOGETHER):
            part = batch.slice(start, _ROWS_TOGETHER).select(names)
            yield row, features, part.to_pylist()
            row += part.num_rows


def _features(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _class_names(feature: object) -> Sequence[str]:
    """Return the names of a feature of classes, or of a list of them."""
    for _ in range(3):
        if isinstance(feature, list) and len(feature) == 1:
            (feature,) = feature
        elif isinstance(feature, dict) and isinstance(feature.get("names"), list):
            return [str(name) for name in feature["names"]]
        elif isinstance(feature, dict):
            feature = feature.get("feature")
    return []


def _is_name(name: object) -> bool:
    """Return whether a name from a file stays inside its folder."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_METADATA_BYTES:
            raise ValueError(f"more than {_MAX_METADATA_BYTES} bytes")
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise CorpusError("the file cannot be read", file=str(path), received=str(error)) from error
    return value
