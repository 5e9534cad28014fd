"""Bidirectional LSTM layers."""

from __future__ import annotations

from typing import Any

import keras

from seqlab.modeling.masks.masked_ops import Shape, Tensor, with_first_position, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class BiLSTMEncoder(keras.layers.Layer):
    """Reads each sentence forwards and backwards and puts the two states of every token side by side.

    Shapes: (B, T, D) -> (B, T, 2 * units).

    Mask: bool (B, T), True = a real token, padding at the right only; passed on unchanged. The backward
    reading begins at the last real token. Padding comes out zero. A wholly padded row comes out zero as well:
    cuDNN accepts no such row, so its first position is read as if it were a token, and the result thrown
    away.

    There is no recurrent dropout, which cuDNN does not know.

    Args:
        num_layers: number of bidirectional layers.
        units: size of each direction's state.
        dropout: probability that an entry of a layer's input from the second layer on, and of the last
            layer's output, is dropped in training.
        variational_dropout: whether one choice of entries serves a whole sentence (arXiv 1512.05287) rather
            than each token having its own.
        use_cudnn: `auto` takes cuDNN where there is a GPU; True insists on it; False gives a graph that runs
            anywhere.
    """

    def __init__(
        self,
        *,
        num_layers: int,
        units: int,
        dropout: float = 0.0,
        variational_dropout: bool = False,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_layers = num_layers
        self.units = units
        self.dropout = dropout
        self.variational_dropout = variational_dropout
        self.use_cudnn = use_cudnn
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes the recurrent layers and a dropout for each."""
        shape = tuple(input_shape)
        noise_shape = (None, 1, None) if self.variational_dropout else None
        self.recurrent_layers = []
        self.dropouts = []
        for index in range(self.num_layers):
            lstm = keras.layers.LSTM(
                self.units, return_sequences=True, use_cudnn=self.use_cudnn, dtype=self.dtype_policy
            )
            layer = keras.layers.Bidirectional(lstm, dtype=self.dtype_policy, name=f"bilstm_{index}")
            layer.build(shape)
            self.recurrent_layers.append(layer)
            self.dropouts.append(
                keras.layers.Dropout(
                    self.dropout, noise_shape=noise_shape, dtype=self.dtype_policy, name=f"dropout_{index}"
                )
            )
            shape = self.compute_output_shape(shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """(B, T, D) to (B, T, 2 * units)."""
        readable = None if mask is None else with_first_position(mask)
        for layer, dropout in zip(self.recurrent_layers, self.dropouts, strict=True):
            x = dropout(layer(x, mask=readable, training=training), training=training)
        return zero_padding(x, mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to (B, T, 2 * units)."""
        return (*input_shape[:-1], 2 * self.units)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "units": self.units,
            "dropout": self.dropout,
            "variational_dropout": self.variational_dropout,
            "use_cudnn": self.use_cudnn,
        }
