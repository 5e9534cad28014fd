from __future__ import annotations

import pytest

from seqlab.conversion.records import Reading
from seqlab.errors import CorpusError


@pytest.fixture
def reading():
    return Reading("ner")


@pytest.fixture
def read(tmp_path, monkeypatch, reading):
    """Write a file and read its records: (records, texts of the errors, (what, received) of the warnings)."""
    monkeypatch.chdir(tmp_path)

    def read_file(reader, name, content):
        path = tmp_path.joinpath(name).relative_to(tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = list(reader(path, reading))
        return (
            [record for record in found if not isinstance(record, CorpusError)],
            [str(error) for error in found if isinstance(error, CorpusError)],
            [(warning.what, warning.received) for warning in reading.warnings.listed],
        )

    return read_file
