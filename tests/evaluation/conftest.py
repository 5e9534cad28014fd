from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def second_conlleval() -> ModuleType:
    """The module `conlleval.py` beside this file, which the import mode keeps off the import path."""
    path = Path(__file__).with_name("conlleval.py")
    spec = importlib.util.spec_from_file_location("second_conlleval", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
