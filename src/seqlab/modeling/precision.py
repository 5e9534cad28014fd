"""Taggers that compute in float32, whatever precision they are trained in."""

from __future__ import annotations

from typing import Any

from seqlab.modeling.tagger import Tagger, smallest_batch


def in_float32(tagger: Tagger) -> Tagger:
    """Return the tagger itself if every layer computes in float32, else a float32 copy of it."""
    config = tagger.get_config()
    return tagger if _in_float32(config) == config else float32_copy(tagger)


def float32_copy(tagger: Tagger) -> Tagger:
    """Return a copy of a built tagger with its weights, in which every layer has the float32 policy."""
    copy = type(tagger).from_config(_in_float32(tagger.get_config()))
    copy(smallest_batch())
    copy.set_weights(tagger.get_weights())
    return copy


def _in_float32(config: Any) -> Any:
    if isinstance(config, (list, tuple)):
        return type(config)(_in_float32(value) for value in config)
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return {**config, "config": {**config["config"], "name": "float32"}}
    return {name: _in_float32(value) for name, value in config.items()}
