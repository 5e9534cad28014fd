"""The characters of each token of a batch, from those of its distinct types."""

from __future__ import annotations

import numpy as np


def characters_of(features: dict[str, np.ndarray]) -> np.ndarray:
    """Return int32 (B, T, C); C is the width of the widest array."""
    width = max(features[name].shape[1] for name in ("char_ids", "long_char_ids"))
    tables = [fitted(features[name], width) for name in ("char_ids", "long_char_ids")]
    return np.concatenate(tables)[features["char_rows"]]


def fitted(characters: np.ndarray, width: int) -> np.ndarray:
    """Append padding to the last axis, or remove it, until it has the given width."""
    assert not characters[..., width:].any()
    missing = max(0, width - characters.shape[-1])
    return np.pad(characters, [(0, 0)] * (characters.ndim - 1) + [(0, missing)])[..., :width]
