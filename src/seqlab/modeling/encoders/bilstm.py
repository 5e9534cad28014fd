"""Bidirectional LSTM encoder."""

from __future__ import annotations

from typing import Any

import keras

from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.masks.masked_ops import Shape, Tensor, with_first_position, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class BiLSTMEncoder(ConfiguredLayer):
    """Stacked bidirectional LSTM layers.

    Shapes: (B, T, D) -> (B, T, 2 * units).

    Mask: bool (B, T), True = a real token, padding on the right only; passed on unchanged. The backward LSTM
    starts at the last real token. Padding is set to zero. cuDNN accepts no row without a real position, so
    the first position of a fully padded row is read as a token, and the result is discarded.

    There is no recurrent dropout, because cuDNN does not support it.

    Args:
        num_layers: number of bidirectional layers.
        units: dimension of each direction's state.
        dropout: probability that an entry of a layer's output is dropped in training.
    """

    def __init__(self, *, num_layers: int, units: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_layers = num_layers
        self.units = units
        self.dropout = dropout

    def build(self, input_shape: Shape) -> None:
        options = {"dtype": self.dtype_policy}
        shape = tuple(input_shape)
        self.recurrent_layers = []
        self.dropouts = []
        for index in range(self.num_layers):
            lstm = keras.layers.LSTM(self.units, return_sequences=True, **options)
            layer = keras.layers.Bidirectional(lstm, name=f"bilstm_{index}", **options)
            layer.build(shape)
            self.recurrent_layers.append(layer)
            self.dropouts.append(keras.layers.Dropout(self.dropout, name=f"dropout_{index}", **options))
            shape = self.compute_output_shape(shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        readable = None if mask is None else with_first_position(mask)
        for layer, dropout in zip(self.recurrent_layers, self.dropouts, strict=True):
            x = dropout(layer(x, mask=readable, training=training), training=training)
        return zero_padding(x, mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], 2 * self.units)
