"""The few operations on masks that layers share: bool (B, T), True = a real token."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any
"""A backend tensor or a `keras.KerasTensor`."""

Shape = tuple[int | None, ...]
"""A shape whose unknown dimensions are None."""

MASKED_SCORE = -1e9
"""Stands for minus infinity in float32 scores: exp gives exactly 0, and no sum or difference gives NaN."""


def zero_padding(x: Tensor, mask: Tensor | None) -> Tensor:
    """Zeros where the mask is False.

    A choice rather than a product, so that not even NaN comes through, forward or backward.

    Args:
        x: (B, T, D).
        mask: bool (B, T), True = a real token; None leaves x as it is.
    """
    if mask is None:
        return x
    return ops.where(ops.expand_dims(mask, -1), x, ops.cast(0, x.dtype))


def masked_softmax(scores: Tensor, mask: Tensor | None, *, axis: int = -1) -> Tensor:
    """Softmax over the places where the mask is True, in float32 whatever the scores' type.

    Where the mask is False the weight is exactly 0, unless it is False along the whole axis: then all weights
    are equal, finite, and worth nothing.

    Args:
        scores: any shape.
        mask: bool, broadcasts to the scores' shape; None stands for all True.
        axis: the axis along which the weights sum to 1.
    """
    dtype = scores.dtype
    scores = ops.cast(scores, "float32")
    if mask is not None:
        scores = ops.where(mask, scores, MASKED_SCORE)
    if scores.shape[axis] == 1:
        # Keras warns of a softmax over one place, which is what a sentence of one token asks for.
        weights = ops.exp(scores - scores)
    else:
        weights = ops.softmax(scores, axis=axis)
    return ops.cast(weights, dtype)


def masked_max(x: Tensor, mask: Tensor | None) -> Tensor:
    """The largest value over time where the mask is True; where none is, a large negative number or,
    in float16, minus infinity.

    Args:
        x: (B, T, D).
        mask: bool (B, T); None stands for all True.

    Returns:
        (B, D).
    """
    if mask is not None:
        x = ops.where(ops.expand_dims(mask, -1), x, ops.cast(MASKED_SCORE, x.dtype))
    return ops.max(x, axis=1)


def with_first_position(mask: Tensor) -> Tensor:
    """The mask with its first position True: with right padding, only wholly padded rows change.

    cuDNN's recurrent layers accept no row that is wholly padding.

    Args:
        mask: bool (B, T), padding at the right only.
    """
    first = ops.equal(ops.cumsum(ops.ones_like(mask, dtype="int32"), axis=1), 1)
    return ops.logical_or(mask, first)
