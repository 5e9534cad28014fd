"""Mask operations that layers share. A mask is bool (B, T), True = a real token."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any
"""A backend tensor or a `keras.KerasTensor`."""

Shape = tuple[int | None, ...]
"""A shape whose unknown dimensions are None."""

MASKED_SCORE = -1e9
"""Minus infinity for float32 scores: its exp is exactly 0, and sums and differences of it are never NaN."""


def zero_padding(x: Tensor, mask: Tensor | None) -> Tensor:
    """Set x to 0 where the mask is False.

    `where` rather than a product, so that NaN at padding affects neither the output nor the gradient.

    Args:
        x: (B, T, D).
        mask: bool (B, T), True = a real token; None returns x unchanged.
    """
    if mask is None:
        return x
    return ops.where(ops.expand_dims(mask, -1), x, ops.cast(0, x.dtype))


def zero_finite_padding(x: Tensor, mask: Tensor | None) -> Tensor:
    """Set x to 0 where the mask is False, by a product, which takes a quarter of the time of `where`.

    Args:
        x: (B, T, D), finite: at padding, NaN and infinity become NaN.
        mask: bool (B, T), True = a real token; None returns x unchanged.
    """
    if mask is None:
        return x
    return x * ops.cast(ops.expand_dims(mask, -1), x.dtype)


def masked_softmax(scores: Tensor, mask: Tensor | None, *, axis: int = -1) -> Tensor:
    """Mask-aware softmax, computed in float32 and returned in the type of `scores`.

    Weights are exactly 0 where the mask is False. If the mask is False along the whole axis, the weights are
    finite and have no meaning.

    Args:
        scores: any shape, finite.
        mask: bool, broadcasts to the shape of `scores`; None means all True.
        axis: the axis along which weights sum to 1.
    """
    dtype = scores.dtype
    scores = ops.cast(scores, "float32")
    if mask is not None:
        scores = scores + _added(mask, "float32")
    if scores.shape[axis] == 1:
        # Keras warns about a softmax over an axis of size 1, which sentences of one token have.
        weights = ops.exp(scores - scores)
    else:
        weights = ops.softmax(scores, axis=axis)
    return ops.cast(weights, dtype)


def masked_max(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the maximum over time where the mask is True.

    Rows without any True give a large negative number (in float16, minus infinity).

    Args:
        x: (B, T, D), finite.
        mask: bool (B, T); None means all True.

    Returns:
        (B, D).
    """
    if mask is not None:
        x = x + ops.expand_dims(_added(mask, x.dtype), -1)
    return ops.max(x, axis=1)


def _added(mask: Tensor, dtype: str) -> Tensor:
    """Return 0 where the mask is True and `MASKED_SCORE` elsewhere: adding it is faster than `where`."""
    return ops.where(mask, ops.cast(0, dtype), ops.cast(MASKED_SCORE, dtype))


def with_first_position(mask: Tensor) -> Tensor:
    """Set the first position of a mask to True, because cuDNN's recurrent layers reject empty rows.

    With right padding, this changes only rows that contain nothing but padding.

    Args:
        mask: bool (B, T), right padding.
    """
    first = ops.equal(ops.cumsum(ops.ones_like(mask, dtype="int32"), axis=1), 1)
    return ops.logical_or(mask, first)
