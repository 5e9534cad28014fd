"""The base class of the project's layers."""

from __future__ import annotations

import inspect
from typing import Any

import keras


class ConfiguredLayer(keras.layers.Layer):
    """A mask-aware layer whose config holds its constructor's keyword-only parameters.

    A subclass stores each of these parameters, as a plain value, in an attribute of the same name. Parameters
    that a subclass passes on to its base class as `**kwargs` are included.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def get_config(self) -> dict[str, Any]:
        classes = [cls for cls in reversed(type(self).__mro__) if issubclass(cls, ConfiguredLayer)]
        parameters = [p for cls in classes for p in inspect.signature(cls.__init__).parameters.values()]
        names = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
