"""A tagger's file, written only if it gives back the tagger that was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqlab.errors import SeqlabError
from seqlab.modeling.tagger import Tagger


def save_tagger(tagger: Tagger, path: Path, *, features: dict[str, Any]) -> None:
    """Save `tagger` as `.keras`, without its optimizer, load it again, and compare the two on a batch.

    Keras loads a file without a word where a layer's weights are missing from it or do not find their place;
    the tagger then works, and is wrong.

    Args:
        tagger: built.
        path: ends in `.keras`; removed again where the comparison fails.
        features: a batch to compare on, as the batch contract has it.

    Raises:
        SeqlabError: the file gives other weights or logits.
    """
    bare = Tagger.from_config(tagger.get_config())
    bare.build({name: tuple(np.shape(values)) for name, values in features.items()})
    bare.set_weights(tagger.get_weights())
    bare.save(path)
    again = keras.saving.load_model(path)
    same_weights = len(again.weights) == len(tagger.weights) and all(
        np.array_equal(saved, loaded)
        for saved, loaded in zip(tagger.get_weights(), again.get_weights(), strict=True)
    )
    saved, loaded = (np.asarray(model(features, training=False)) for model in (tagger, again))
    difference = float(np.max(np.abs(saved - loaded)))
    if not same_weights or not difference <= 1e-4:
        path.unlink()
        raise SeqlabError(
            "the saved tagger does not give back the trained one",
            where=str(path),
            expected="equal weights and logits",
            received=f"{'equal' if same_weights else 'other'} weights, logits {difference:.2g} apart",
            remedy="give every layer of your own `build` and `get_config`; see docs/masks.md",
        )
