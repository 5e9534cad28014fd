"""Saving a tagger, with a check that the file gives back the same tagger."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqlab.errors import SeqlabError
from seqlab.modeling.tagger import Tagger


def save_tagger(tagger: Tagger, path: Path, *, features: dict[str, Any]) -> None:
    """Save `tagger` without its optimizer, reload it, and compare both on a batch.

    Keras loads a file without an error even if weights of a layer are missing from it or are not assigned.

    Args:
        tagger: built.
        path: ends in `.keras`; deleted if the comparison fails.
        features: batch for the comparison, as in the batch contract.

    Raises:
        SeqlabError: the reloaded tagger has different weights or logits.
    """
    bare = _bare(tagger, features)
    bare.save(path)
    reloaded = keras.saving.load_model(path)
    pairs = zip(bare.get_weights(), reloaded.get_weights(), strict=True)
    equal = len(bare.weights) == len(reloaded.weights) and all(np.array_equal(*pair) for pair in pairs)
    expected, received = (np.asarray(model(features, training=False)) for model in (tagger, reloaded))
    difference = float(np.max(np.abs(expected - received)))
    if not equal or not difference <= 1e-4:
        path.unlink()
        raise SeqlabError(
            "the saved tagger differs from the trained tagger",
            where=str(path),
            expected="equal weights and logits",
            received=f"{'equal' if equal else 'different'} weights, logits that differ by {difference:.2g}",
            remedy="implement `build` and `get_config` in every custom layer; see docs/masks.md",
        )


def _bare(tagger: Tagger, features: dict[str, Any]) -> Tagger:
    """Return a copy without the optimizer, in which kernels contain what LoRA adds to them."""
    config = tagger.get_config()
    encoder = getattr(tagger.embedder, "pretrained_encoder", None)
    merged = encoder.merged_weights() if encoder is not None else {}
    if encoder is not None:
        trained = {"trained": "frozen"} if merged else {}
        saved = {**tagger.embedder.pretrained, **trained, "gradient_checkpointing": False}
        config["embedder"]["config"]["pretrained"] = saved
    bare = Tagger.from_config(config)
    bare.build({name: tuple(np.shape(values)) for name, values in features.items()})
    weights = [
        merged.get(variable.path, value)
        for variable, value in zip(tagger.weights, tagger.get_weights(), strict=True)
    ]
    bare.set_weights([value for value in weights if value is not None])
    return bare


def weights_digest(weights: Sequence[np.ndarray]) -> str:
    """Return one SHA-256 of all weights, in their order, with dtypes and shapes.

    The digest of a `.keras` file would be another one after each training, because the file contains times.
    """
    digest = hashlib.sha256()
    for values in weights:
        digest.update(f"{values.dtype} {values.shape} ".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
