"""Taggers that compute in float32, whatever precision they were trained in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from seqlab.errors import SeqlabError

# Importing a layer registers it, which is what a reload needs.
from seqlab.modeling.tagger import Tagger


def load_tagger(model: Path) -> Tagger:
    """The trained tagger of a `.keras` file, reloaded in safe mode, computing in float32.

    The weights of a mixed-precision tagger are float32 already. Its exports compute in float32 throughout:
    half precision rounds differently in every batch and on every device, so that no two forms of it would
    agree.

    Raises:
        SeqlabError: the file is missing, or is no tagger that this version can load.
    """
    if not model.is_file():
        raise SeqlabError(
            "there is no trained model", where=str(model), remedy="run `dvc repro` to train one"
        )
    try:
        tagger = keras.saving.load_model(model, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise SeqlabError(
            "the model cannot be loaded",
            where=str(model),
            received=_reason(error),
            remedy="another version of seqlab or Keras made it: train it again, or install that version",
        ) from error
    if not isinstance(tagger, Tagger):
        raise SeqlabError("not a tagger", where=str(model), received=type(tagger).__name__)
    return in_float32(tagger)


def in_float32(tagger: Tagger) -> Tagger:
    """The tagger itself where it computes in float32, else one that does, with its weights."""
    config = tagger.get_config()
    plain = _without_mixed_policies(config)
    if plain == config:
        return tagger
    copy = Tagger.from_config(plain)
    ids = keras.ops.ones((1, 1), "int32")
    copy({"token_ids": ids, "char_ids": keras.ops.ones((1, 1, 1), "int32"), "shape_ids": ids})
    copy.set_weights(tagger.get_weights())
    return copy


def _reason(error: Exception) -> str:
    """The line of Keras's long message that says what happened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    found = [line for line in lines if line.startswith("Exception encountered:")]
    return (found or lines)[0][:300]


def _without_mixed_policies(config: Any) -> Any:
    if isinstance(config, dict):
        return {name: _without_mixed_policies(value) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_without_mixed_policies(value) for value in config)
    return "float32" if isinstance(config, str) and config.startswith("mixed_") else config
