"""Packages outside the core, imported only when a parameter or an option asks for what needs them."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from seqlab.errors import SeqlabError


def import_extra(module: str, *, purpose: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: the module's name.
        purpose: what needs it, for the message.

    Raises:
        SeqlabError: the package, or one that it imports, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SeqlabError(
            f"{purpose} need{'' if purpose.endswith('s') else 's'} a package that is not installed",
            expected=f"the package of the module {module}",
            received=str(error),
            remedy="make extras",
        ) from None


def import_keras_hub() -> Any:
    """Import KerasHub, which pretrained encoders need.

    Raises:
        SeqlabError: it is not installed.
    """
    return import_extra("keras_hub", purpose="pretrained encoders")
