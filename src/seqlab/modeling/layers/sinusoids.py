"""Positions as sines and cosines."""

from __future__ import annotations

import math

from keras import ops

from seqlab.modeling.masks.masked_ops import Tensor


def sinusoids(length: int | Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Sine and cosine of `position * 10000^(-2i / dim)` for i below dim / 2 (arXiv 1706.03762, section 3.5).

    Args:
        length: number of positions, counted from 0; may be known at run time only.
        dim: sines and cosines together, an even number.

    Returns:
        Two float32 (length, dim / 2).
    """
    frequencies = [math.pow(10000.0, -2.0 * index / dim) for index in range(dim // 2)]
    positions = ops.arange(0, length, dtype="float32")
    angles = ops.expand_dims(positions, -1) * ops.convert_to_tensor(frequencies, dtype="float32")
    return ops.sin(angles), ops.cos(angles)
