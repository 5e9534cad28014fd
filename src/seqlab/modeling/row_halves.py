"""A function of rows, computed for both halves of a batch at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from seqlab.modeling.masks.masked_ops import Tensor


def on_row_halves(function: Callable[..., Tensor], inputs: Any) -> Tensor:
    """Return `function(inputs)`, computed apart for the first and the second half of the rows.

    Neither half depends on the other, so TensorFlow can compute both at the same time.

    Args:
        function: its result for a row depends on that row alone.
        inputs: nested structure of tensors (B, ...).
    """
    half = ops.shape(keras.tree.flatten(inputs)[0])[0] // 2
    first = keras.tree.map_structure(lambda x: x[:half], inputs)
    second = keras.tree.map_structure(lambda x: x[half:], inputs)
    return ops.concatenate([function(first), function(second)], axis=0)
