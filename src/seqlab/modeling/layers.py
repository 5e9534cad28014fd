"""Dropout, layer normalisation and GELU, with fewer passes over memory than Keras's own."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from seqlab.modeling.masks.masked_ops import Tensor


@keras.saving.register_keras_serializable(package="seqlab")
class Dropout(keras.layers.Dropout):
    """Keras's dropout, with 16 random bits for each entry on TensorFlow instead of a random float32.

    The rate is rounded to a multiple of 1 / 65,536, and entries that are kept are divided by exactly the
    probability that an entry is kept.
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if keras.backend.backend() != "tensorflow" or self.noise_shape is not None:
            return super().call(inputs, training=training)
        if not training or self.rate == 0:
            return inputs
        return inputs * _kept(inputs, rate=self.rate, seed=self.seed_generator.next())


def _kept(x: Any, *, rate: float, seed: Any) -> Any:
    """Return a random tensor of the shape and type of x: 0 with probability `rate`, else 1 / (1 - rate)."""
    import tensorflow as tf

    size = tf.size(x)
    words = tf.random.stateless_uniform(
        ((size + 1) // 2,), tf.cast(seed, tf.int32), minval=None, maxval=None, dtype=tf.int32
    )
    bits = tf.reshape(tf.reshape(tf.bitcast(words, tf.int16), (-1,))[:size], tf.shape(x))
    dropped = min(round(rate * 2**16), 2**16 - 1)
    kept = tf.cast(bits >= tf.constant(dropped - 2**15, tf.int16), x.dtype)
    return kept * tf.cast(2**16 / (2**16 - dropped), x.dtype)


@keras.saving.register_keras_serializable(package="seqlab")
class LayerNorm(keras.layers.LayerNormalization):
    """Layer normalisation over the last axis (Ba et al. 2016, arXiv 1607.06450), computed in float32.

    Shapes: (B, T, D) -> (B, T, D).

    Formula: `gamma (x - mean) / sqrt(variance + epsilon) + beta`.
    """

    def __init__(self, *, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(epsilon=epsilon, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        normalised = _normaliser(self.epsilon)(ops.cast(inputs, "float32"))
        gamma, beta = (ops.cast(weight, "float32") for weight in (self.gamma, self.beta))
        return ops.cast(normalised * gamma + beta, self.compute_dtype)


def _normaliser(epsilon: float) -> Any:
    @ops.custom_gradient
    def normalise(x: Tensor) -> tuple[Tensor, Any]:
        centred = x - ops.mean(x, axis=-1, keepdims=True)
        scale = ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + epsilon)
        normalised = centred * scale

        def gradient(*args: Any, upstream: Any = None) -> Tensor:
            if upstream is None:
                (upstream,) = args
            mean = ops.mean(upstream, axis=-1, keepdims=True)
            along = ops.mean(upstream * normalised, axis=-1, keepdims=True)
            return (upstream - mean - normalised * along) * scale

        return normalised, gradient

    return normalise


@ops.custom_gradient
def gelu(x: Tensor) -> tuple[Tensor, Any]:
    """Return `x P(X <= x)`, with a standard normal X (Hendrycks and Gimpel 2016, arXiv 1606.08415).

    Args:
        x: float, any shape.
    """
    probability = 0.5 * _erfc(x * -math.sqrt(0.5))

    def gradient(*args: Any, upstream: Any = None) -> Tensor:
        if upstream is None:
            (upstream,) = args
        density = ops.exp(ops.square(x) * -0.5) * (1 / math.sqrt(2 * math.pi))
        return upstream * (probability + x * density)

    return x * probability, gradient


def _erfc(x: Tensor) -> Tensor:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.math.erfc(x)
    return 1 - ops.erf(x)
