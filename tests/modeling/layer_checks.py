"""The checks that every mask-aware layer passes: describe the layer as a `LayerCase` in layer_cases.py."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

BATCH, LENGTH = 4, 5


@dataclass(frozen=True)
class Inputs:
    """A batch.

    Args:
        x: int (B, T) or (B, T, C) ids, or float (B, T, D) features.
        mask: bool (B, T), True = a real token; None if the layer computes the mask from the ids.
    """

    x: np.ndarray
    mask: np.ndarray | None = None

    @property
    def real(self) -> np.ndarray:
        """Bool (B, T), True = a real token."""
        if self.mask is not None:
            return self.mask
        return self.x != 0 if self.x.ndim == 2 else np.any(self.x != 0, axis=-1)

    def arrays(self) -> list[np.ndarray]:
        return [self.x] if self.mask is None else [self.x, self.mask]

    def padded(self, extra: int) -> Inputs:
        """The same batch, `extra` positions longer: ids 0, or features that are not zero."""
        if self.mask is None:
            widths = [(0, 0), (0, extra)] + [(0, 0)] * (self.x.ndim - 2)
            return Inputs(np.pad(self.x, widths))
        garbage = np.random.default_rng(extra).normal(scale=10, size=(len(self.x), extra, *self.x.shape[2:]))
        x = np.concatenate([self.x, garbage.astype(self.x.dtype)], axis=1)
        return Inputs(x, np.pad(self.mask, [(0, 0), (0, extra)]))

    def padded_characters(self, extra: int) -> Inputs:
        """The same tokens with `extra` more padding characters each."""
        return Inputs(np.pad(self.x, [(0, 0), (0, 0), (0, extra)]))

    def row(self, index: int) -> Inputs:
        """One row without its padding."""
        length = int(self.real[index].sum())
        mask = None if self.mask is None else self.mask[index : index + 1, :length]
        return Inputs(self.x[index : index + 1, :length], mask)

    def blanked(self, index: int) -> Inputs:
        """The same batch with one fully padded row."""
        if self.mask is None:
            x = self.x.copy()
            x[index] = 0
            return replace(self, x=x)
        mask = self.mask.copy()
        mask[index] = False
        return replace(self, mask=mask)


def right_padded_mask(batch: int, length: int) -> np.ndarray:
    """Rows of `length` down to 1 real tokens."""
    lengths = np.linspace(length, 1, batch).round().astype(int)
    return np.arange(length)[None, :] < lengths[:, None]


def token_id_inputs(batch: int, length: int, *, vocabulary_size: int = 11) -> Inputs:
    ids = np.random.default_rng(batch).integers(1, vocabulary_size, size=(batch, length), dtype=np.int32)
    return Inputs(np.where(right_padded_mask(batch, length), ids, 0).astype(np.int32))


def character_id_inputs(batch: int, length: int, *, vocabulary_size: int = 11, characters: int = 6) -> Inputs:
    random = np.random.default_rng(batch)
    ids = random.integers(1, vocabulary_size, size=(batch, length, characters), dtype=np.int32)
    token_lengths = random.integers(1, characters + 1, size=(batch, length, 1))
    ids = np.where(np.arange(characters) < token_lengths, ids, 0)
    return Inputs(np.where(right_padded_mask(batch, length)[..., None], ids, 0).astype(np.int32))


def feature_inputs(batch: int, length: int, *, dim: int = 8) -> Inputs:
    """Features that are large at padding, so a layer that reads padding fails."""
    x = np.random.default_rng(batch).normal(size=(batch, length, dim)).astype(np.float32)
    mask = right_padded_mask(batch, length)
    return Inputs(np.where(mask[..., None], x, 10 * x), mask)


@dataclass(frozen=True, kw_only=True)
class LayerCase:
    """A layer and its expected properties.

    Args:
        factory: makes the layer; called several times.
        inputs: `(batch, length) -> Inputs`.
        zero_at_padding: whether outputs are zero at padding.
        has_gradient: whether all weights of the layer have a gradient when the layer is called.
        tolerance: largest absolute difference allowed for rounding, with outputs near 1.
    """

    factory: Callable[[], keras.layers.Layer]
    inputs: Callable[[int, int], Inputs]
    zero_at_padding: bool = True
    has_gradient: bool = True
    tolerance: float = 1e-5

    def assert_same(self, received: np.ndarray, expected: np.ndarray) -> None:
        assert_allclose(received, expected, atol=self.tolerance, rtol=1e-5)


@keras.saving.register_keras_serializable(package="seqlab_tests")
class AttachMask(keras.layers.Layer):
    """Attaches a mask to features, as a previous layer would: (x, mask) -> x with mask."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        return inputs[0] * 1  # a new tensor: the mask is an attribute of the tensor

    def compute_mask(self, inputs, previous_mask=None):
        return inputs[1]

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@keras.saving.register_keras_serializable(package="seqlab_tests")
class ReadMask(keras.layers.Layer):
    """Returns the mask that it receives, or -1 if it receives none."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return -keras.ops.ones_like(inputs[..., 0], dtype="float32")
        return keras.ops.cast(mask, "float32")


def call(layer: keras.layers.Layer, inputs: Inputs, *, training: bool = False):
    """The layer's output tensor, eagerly, with the mask, if any, as an argument."""
    return layer(*map(tf.constant, inputs.arrays()), **training_argument(layer, training))


def training_argument(layer: keras.layers.Layer, training: bool) -> dict[str, bool]:
    return {"training": training} if "training" in inspect.signature(layer.call).parameters else {}


def as_array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def built(case: LayerCase, inputs: Inputs) -> keras.layers.Layer:
    """A layer with random biases and scales: with 0 and 1, many faults are invisible."""
    layer = case.factory()
    layer.build(inputs.x.shape)
    random = np.random.default_rng(3)
    for weight in layer.trainable_variables:
        if len(weight.shape) == 1:
            weight.assign(weight + random.normal(scale=0.3, size=weight.shape).astype("float32"))
    return layer


def dynamic_shape(inputs: Inputs) -> tuple[int | None, ...]:
    """(None, None) for ids, (None, None, None) for characters, (None, None, D) for features."""
    is_ids = np.issubdtype(inputs.x.dtype, np.integer)
    return (None, None, *(None if is_ids else dim for dim in inputs.x.shape[2:]))


def model_of(layer: keras.layers.Layer, inputs: Inputs, *, explicit_mask: bool) -> keras.Model:
    """`layer` as a model that returns its output and the mask that the next layer receives."""
    shape = dynamic_shape(inputs)[1:]
    x = keras.Input(shape, dtype=inputs.x.dtype.name, name="x")
    if inputs.mask is None:
        y = layer(x)
        return keras.Model([x], [y, ReadMask()(y)])
    mask = keras.Input(shape[:1], dtype="bool", name="mask")
    y = layer(x, mask=mask) if explicit_mask else layer(AttachMask()([x, mask]))
    return keras.Model([x, mask], [y, ReadMask()(y)])


class Graph:
    """A layer as graphs of dynamic batch and length, each traced once for all checks.

    `step(inputs)` returns outputs, and the gradients of a loss on all outputs, including padding, with
    respect to features (if inputs are features) and weights.
    """

    def __init__(self, case: LayerCase, layer: keras.layers.Layer, *, training: bool = False) -> None:
        inputs = case.inputs(BATCH, LENGTH)
        signature = [tf.TensorSpec(dynamic_shape(inputs), inputs.x.dtype)]
        if inputs.mask is not None:
            signature.append(tf.TensorSpec((None, None), tf.bool))

        def step(x, *mask):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, *mask, **training_argument(layer, training))
                weights = tf.cos(tf.cast(tf.range(tf.shape(y)[-1]), tf.float32))
                loss = tf.reduce_sum(tf.square(tf.cast(y, tf.float32)) * weights)
            if not case.has_gradient:
                return y, []
            sources = [*([x] if x.dtype.is_floating else []), *layer.trainable_variables]
            return y, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, sources)]

        self._functions = {
            "eager": step,
            "graph": tf.function(step, input_signature=signature),
            "xla": tf.function(step, input_signature=signature, jit_compile=True),
        }

    def __call__(self, inputs: Inputs) -> np.ndarray:
        return self.step(inputs)[0]

    def step(self, inputs: Inputs, mode: str = "graph") -> tuple[np.ndarray, list[np.ndarray]]:
        y, gradients = self._functions[mode](*map(tf.constant, inputs.arrays()))
        return as_array(y), [as_array(gradient) for gradient in gradients]


def check_layer(case: LayerCase, directory: Path) -> None:
    """Run every check on one layer; `directory` is an empty folder."""
    check_arguments(case)
    layer = built(case, case.inputs(BATCH, LENGTH))
    graph = Graph(case, layer)
    check_eager_graph_and_xla_agree(case, graph)
    check_padded_rows(case, graph)
    check_padded_rows_in_training(case, layer)
    check_padding_changes_nothing(case, graph)
    check_batch_composition_changes_nothing(case, graph)
    check_models(case, layer, graph, directory)
    check_low_precision(case, layer, graph)


def check_arguments(case: LayerCase) -> None:
    """Keyword-only arguments with an attribute each, a plain config, and a documented mask."""
    layer = case.factory()
    config = layer.get_config()
    for cls in type(layer).__mro__[: type(layer).__mro__.index(keras.layers.Layer)]:
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        named = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in named)
        for parameter in named:
            assert getattr(layer, parameter.name) == config[parameter.name], parameter.name
    plain = json.loads(json.dumps(config))
    assert type(layer).from_config(plain).get_config() == config
    assert layer.supports_masking
    assert "mask" in inspect.signature(layer.call).parameters
    assert keras.saving.get_registered_name(type(layer)) == f"seqlab>{type(layer).__name__}"
    assert "True" in (type(layer).__doc__ or ""), "the docstring says what True in a mask means"


def check_eager_graph_and_xla_agree(case: LayerCase, graph: Graph) -> None:
    """Outputs and gradients."""
    inputs = case.inputs(BATCH, LENGTH)
    output, gradients = graph.step(inputs, "eager")
    for mode in ("graph", "xla"):
        again, gradients_again = graph.step(inputs, mode)
        case.assert_same(again, output)
        for received, expected in zip(gradients_again, gradients, strict=True):
            assert_allclose(received, expected, atol=10 * case.tolerance, rtol=1e-3)


def check_padded_rows(case: LayerCase, graph: Graph) -> None:
    """A fully padded row gives finite outputs and gradients, is zero, and changes no other row."""
    inputs = case.inputs(BATCH, LENGTH)
    blanked = inputs.blanked(1)
    output, gradients = graph.step(blanked)
    assert np.all(np.isfinite(output))
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
    case.assert_same(output[blanked.real], graph(inputs)[blanked.real])
    if case.zero_at_padding:
        assert_array_equal(output[~blanked.real], 0)


def check_padded_rows_in_training(case: LayerCase, layer: keras.layers.Layer) -> None:
    if training_argument(layer, True):
        graph = Graph(case, layer, training=True)
        output, gradients = graph.step(case.inputs(BATCH, LENGTH).blanked(1), "eager")
        assert np.all(np.isfinite(output))
        assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


def check_padding_changes_nothing(case: LayerCase, graph: Graph) -> None:
    inputs = case.inputs(BATCH, LENGTH)
    longer = [inputs.padded(1), inputs.padded(6)]
    if dynamic_shape(inputs) == (None, None, None):
        longer += [inputs.padded_characters(1), inputs.padded_characters(6).padded(2)]
    expected = graph(inputs)[inputs.real]
    for padded in longer:
        case.assert_same(graph(padded)[padded.real], expected)


def check_batch_composition_changes_nothing(case: LayerCase, graph: Graph) -> None:
    """A sentence alone and without padding has the same output as in a batch."""
    inputs = case.inputs(BATCH, LENGTH)
    together = graph(inputs)
    for index in range(BATCH):
        alone = graph(inputs.row(index))[0]
        case.assert_same(alone, together[index][inputs.real[index]])


def check_models(case: LayerCase, layer: keras.layers.Layer, graph: Graph, directory: Path) -> None:
    """In a model, also after reload: the shape is inferred, and the mask reaches this layer and the next."""
    inputs = case.inputs(BATCH, LENGTH)
    expected = graph(inputs)
    for explicit in (True, False):
        model = model_of(layer, inputs, explicit_mask=explicit)
        assert model.outputs[0].shape == (None, None, expected.shape[-1])
        y, mask = model(inputs.arrays())
        case.assert_same(as_array(y), expected)
        assert_array_equal(as_array(mask), inputs.real)
    model.save(directory / "layer.keras")
    reloaded = keras.saving.load_model(directory / "layer.keras")
    assert_array_equal(as_array(reloaded(inputs.arrays())[0]), as_array(y))


def check_low_precision(case: LayerCase, exact: keras.layers.Layer, graph: Graph) -> None:
    """Half precision: correct dtype, finite outputs and gradients, and close to the float32 result."""
    inputs = case.inputs(BATCH, LENGTH).blanked(1)
    expected = graph(inputs)[inputs.real]
    for policy in ("mixed_float16", "mixed_bfloat16"):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            layer = case.factory()
            layer.build(inputs.x.shape)
        finally:
            keras.config.set_dtype_policy(before)
        layer.set_weights(exact.get_weights())
        with tf.GradientTape() as tape:
            y = call(layer, inputs)
            loss = tf.reduce_mean(tf.square(tf.cast(y, tf.float32)))
        assert y.dtype.name == layer.compute_dtype
        gradients = tape.gradient(loss, layer.trainable_variables) if case.has_gradient else []
        assert all(np.all(np.isfinite(as_array(tf.convert_to_tensor(gradient)))) for gradient in gradients)
        assert_allclose(as_array(y)[inputs.real], expected, atol=0.1, rtol=0.1)
