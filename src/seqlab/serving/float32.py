"""Load taggers so that they compute in float32, whatever precision they were trained in."""

from __future__ import annotations

from pathlib import Path

import keras

from seqlab.errors import SeqlabError
from seqlab.modeling.precision import in_float32
from seqlab.modeling.tagger import Tagger


def load_tagger(model: Path) -> Tagger:
    """Load the tagger of a `.keras` file in safe mode, and convert it to float32.

    The weights of a mixed-precision tagger are float32 already. Exports compute in float32, because half
    precision rounds differently in every batch and on every device, so no two forms would agree.

    Raises:
        SeqlabError: the file is missing, or contains no tagger that this version can load.
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
            remedy="if another version of seqlab or Keras saved it, train it again or install that version",
        ) from error
    if not isinstance(tagger, Tagger):
        raise SeqlabError("the model is not a tagger", where=str(model), received=type(tagger).__name__)
    return in_float32(tagger)


def _reason(error: Exception) -> str:
    """Return the line of Keras's long message that states the error."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    found = [line for line in lines if line.startswith("Exception encountered:")]
    return (found or lines)[0][:300]
