"""A corpus that comes as vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class DenseInput(keras.layers.Layer):
    """Takes tokens that are vectors already, and makes the mask that every later layer reads.

    Shapes: float (B, T, D) -> (B, T, D).

    Mask: made here, bool (B, T), True = a real token: a position is padding where all of its D numbers equal
    `mask_value`. A mask that arrives as well is respected: what is padding in either is padding. Padding
    comes out zero.

    The comparison is made in the input's own type, before a half-precision policy could round a token's
    numbers onto those of padding. `mask_value` is kept as a plain list, so that the layer's config is
    plain JSON; that of `keras.layers.Masking` holds an array where it was given one (keras#20706).

    Args:
        mask_value: D numbers, none of them infinite or NaN.

    Raises:
        SeqlabError: a number equals nothing, or only itself by chance of the format (NaN, infinity).
    """

    def __init__(self, *, mask_value: Sequence[float], **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.mask_value = [float(number) for number in mask_value]
        if not all(math.isfinite(number) for number in self.mask_value):
            raise SeqlabError(
                "padding cannot be told by a value that is not a number",
                where="mask_value",
                expected="finite numbers",
                received=str(self.mask_value),
                remedy="pad with zeros, or any vector that no token has",
            )
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes nothing.

        Raises:
            SeqlabError: the vectors are of another size than mask_value.
        """
        if input_shape[-1] != len(self.mask_value):
            raise SeqlabError(
                "mask_value and the vectors differ in size",
                where="mask_value",
                expected=f"{input_shape[-1]} numbers",
                received=f"{len(self.mask_value)} numbers",
                remedy="give one number for each entry of a token's vector",
            )

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        return zero_padding(ops.cast(x, self.compute_dtype), self.compute_mask(x, mask))

    def compute_mask(self, x: Tensor, previous_mask: Tensor | None = None) -> Tensor:
        """Bool (B, T), True = a real token."""
        padding = ops.convert_to_tensor(self.mask_value, dtype=x.dtype)
        real = ops.any(ops.not_equal(x, padding), axis=-1)
        return real if previous_mask is None else ops.logical_and(real, previous_mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to the same."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {**super().get_config(), "mask_value": self.mask_value}
