"""Fixtures of all modeling tests: the shared checks can be imported, and a lost mask is an error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def lost_mask_is_an_error() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*does not support masking.*")
        yield


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    keras.utils.set_random_seed(7)
