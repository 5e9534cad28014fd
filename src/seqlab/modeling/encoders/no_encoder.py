"""No encoder: the head reads the embedder's vectors."""

from __future__ import annotations

import keras

from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.masks.masked_ops import Shape, Tensor


@keras.saving.register_keras_serializable(package="seqlab")
class NoEncoder(ConfiguredLayer):
    """Returns token vectors as they are, for embedders that are contextual by themselves.

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged.
    """

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)
