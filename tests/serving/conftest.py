from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tiny_taggers import tiny_export


@pytest.fixture(scope="session")
def ner_export() -> Path:
    return tiny_export("ner")
