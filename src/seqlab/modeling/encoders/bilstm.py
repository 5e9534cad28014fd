"""Bidirectional LSTM encoder."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.encoders.recurrence import lstm_states
from seqlab.modeling.layers import Dropout
from seqlab.modeling.masks.masked_ops import (
    Shape,
    Tensor,
    with_first_position,
    zero_finite_padding,
    zero_padding,
)


@keras.saving.register_keras_serializable(package="seqlab")
class BiLSTMEncoder(ConfiguredLayer):
    """Stacked bidirectional LSTM layers.

    Shapes: (B, T, D) -> (B, T, 2 * units).

    Mask: bool (B, T), True = a real token, padding on the right only; passed on unchanged. The backward LSTM
    starts at the last real token. Padding is set to zero. cuDNN accepts no row without a real position, so
    the first position of a fully padded row is read as a token, and the result is discarded.

    TensorFlow on a GPU runs Keras's layers, and with them cuDNN; there is no recurrent dropout, because cuDNN
    does not support it. Everything else runs `lstm_states` with the same weights, which is faster than
    Keras's loop.

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
            self.dropouts.append(Dropout(self.dropout, name=f"dropout_{index}", **options))
            shape = self.compute_output_shape(shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        if self._uses_cudnn():
            return self._call_cudnn(x, mask, training)
        x = ops.transpose(zero_padding(x, mask), (1, 0, 2))
        by_time = None if mask is None else ops.transpose(mask)
        for layer, dropout in zip(self.recurrent_layers, self.dropouts, strict=True):
            x = dropout(_read_both_ways(layer, x, by_time), training=training)
        return zero_finite_padding(ops.transpose(x, (1, 0, 2)), mask)

    def _call_cudnn(self, x: Tensor, mask: Tensor | None, training: bool) -> Tensor:
        readable = None if mask is None else with_first_position(mask)
        for layer, dropout in zip(self.recurrent_layers, self.dropouts, strict=True):
            x = dropout(layer(x, mask=readable, training=training), training=training)
        return zero_finite_padding(x, mask)

    def _uses_cudnn(self) -> bool:
        if keras.backend.backend() != "tensorflow":
            return False
        import tensorflow as tf

        return bool(tf.config.list_logical_devices("GPU"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], 2 * self.units)


def _read_both_ways(layer: keras.layers.Bidirectional, x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the states of both directions: float (T, B, D) and bool (T, B) -> float (T, B, 2 * units)."""
    # Read forwards, padding comes after all real tokens and cannot change their states.
    forward = lstm_states(x, layer.forward_layer.cell, None)
    backward = lstm_states(x, layer.backward_layer.cell, mask, backwards=True)
    return ops.concatenate([forward, backward], axis=-1)
