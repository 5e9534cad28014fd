"""The checks that every mask-aware layer passes.

A test describes its layer once, as a `LayerCase`, and calls `check_layer(case, tmp_path)`. All cases together
go through `check_fresh_process_reload`, which starts a single Python for all of them.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

BATCH, LENGTH = 4, 5
SOURCE = Path(__file__).parents[2] / "src"


@dataclass(frozen=True)
class Inputs:
    """One batch as the layer takes it.

    Args:
        x: int (B, T) or (B, T, C) ids, or float (B, T, D) features.
        mask: bool (B, T), True = a real token; None where the layer reads the mask off the ids.
    """

    x: np.ndarray
    mask: np.ndarray | None = None

    @property
    def real(self) -> np.ndarray:
        """Bool (B, T), True = a real token."""
        if self.mask is not None:
            return self.mask
        return self.x != 0 if self.x.ndim == 2 else np.any(self.x != 0, axis=-1)

    def padded(self, extra: int) -> Inputs:
        """The same batch, `extra` positions longer: ids 0, or features that are anything but zero."""
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
        """One row by itself, without its padding."""
        length = int(self.real[index].sum())
        mask = None if self.mask is None else self.mask[index : index + 1, :length]
        return Inputs(self.x[index : index + 1, :length], mask)

    def blanked(self, index: int) -> Inputs:
        """The same batch with one row wholly padding."""
        if self.mask is None:
            x = self.x.copy()
            x[index] = 0
            return replace(self, x=x)
        mask = self.mask.copy()
        mask[index] = False
        return replace(self, mask=mask)


def row_lengths(batch: int, length: int) -> np.ndarray:
    """Lengths that fall from `length` to 1: every batch has a full row and, from two rows on, a short one."""
    return np.linspace(length, 1, batch).round().astype(int)


def right_padded_mask(batch: int, length: int) -> np.ndarray:
    return np.arange(length)[None, :] < row_lengths(batch, length)[:, None]


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
    """Features with numbers, not zeros, at padding: a layer that looks there is found out."""
    x = np.random.default_rng(batch).normal(size=(batch, length, dim)).astype(np.float32)
    mask = right_padded_mask(batch, length)
    return Inputs(np.where(mask[..., None], x, 10 * x), mask)


def real_tokens(outputs: np.ndarray, real: np.ndarray) -> np.ndarray:
    """What padding must not change in a layer that keeps time: the outputs (N, ...) of the N real tokens."""
    return outputs[:, : real.shape[1]][real]


def whole_rows(outputs: np.ndarray, real: np.ndarray) -> np.ndarray:
    """What padding must not change in a layer that pools time away: every row with a real token."""
    return outputs[np.any(real, axis=1)]


def windows(outputs: np.ndarray, real: np.ndarray) -> np.ndarray:
    """What padding must not change in a layer that cuts rows (B, T) into windows (B * W, L)."""
    rows = outputs.reshape(len(real), -1, *outputs.shape[2:])
    return rows[:, : real.shape[1]][real]


def same_mask(inputs: Inputs) -> np.ndarray | None:
    return inputs.real


def no_mask(inputs: Inputs) -> np.ndarray | None:
    return None


@dataclass(frozen=True, kw_only=True)
class LayerCase:
    """A layer and what is to hold of it.

    Args:
        factory: makes the layer; called many times.
        inputs: `(batch, length) -> Inputs`.
        select: `(outputs, real) -> array`, the part of the outputs that padding must not change.
        output_mask: `inputs -> bool array or None`, the mask that must come out.
        zero_at_padding: whether outputs are exactly zero where `real` is False.
        has_gradient: whether anything in the layer is differentiable.
        tolerance: largest absolute difference allowed by float round-off, relative to outputs near 1.
    """

    factory: Callable[[], keras.layers.Layer]
    inputs: Callable[[int, int], Inputs]
    select: Callable[[np.ndarray, np.ndarray], np.ndarray] = real_tokens
    output_mask: Callable[[Inputs], np.ndarray | None] = same_mask
    zero_at_padding: bool = True
    has_gradient: bool = True
    tolerance: float = 1e-5


@keras.saving.register_keras_serializable(package="seqlab_tests")
class AttachMask(keras.layers.Layer):
    """Gives features a mask to carry, as a layer in front would: (x, mask) -> x with mask."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        return inputs[0] * 1  # a tensor of its own: the mask is kept on the tensor

    def compute_mask(self, inputs, previous_mask=None):
        return inputs[1]

    def compute_output_shape(self, input_shape):
        return input_shape[0]


@keras.saving.register_keras_serializable(package="seqlab_tests")
class ReadMask(keras.layers.Layer):
    """Makes the mask that arrives an output, or -1 where none arrives."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return -keras.ops.ones_like(inputs[..., 0], dtype="float32")
        return keras.ops.cast(mask, "float32")


def call(layer: keras.layers.Layer, inputs: Inputs, *, training: bool = False):
    """The layer's output tensor, eagerly, with the mask given explicitly where there is one."""
    arguments = {} if inputs.mask is None else {"mask": tf.constant(inputs.mask)}
    if "training" in inspect.signature(layer.call).parameters:
        arguments["training"] = training
    return layer(tf.constant(inputs.x), **arguments)


def as_array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def arrays(inputs: Inputs) -> list[np.ndarray]:
    return [inputs.x] if inputs.mask is None else [inputs.x, inputs.mask]


def built(case: LayerCase, inputs: Inputs) -> keras.layers.Layer:
    """A layer whose biases and scales are not what they start as: at 0 and 1, many a fault is invisible."""
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


def model_of(layer: keras.layers.Layer, inputs: Inputs, *, explicit_mask: bool, static: bool = False):
    """`layer` as a model whose outputs are its output and the mask that a next layer is given."""
    shape = inputs.x.shape[1:] if static else dynamic_shape(inputs)[1:]
    x = keras.Input(shape, dtype=inputs.x.dtype.name, name="x")
    if inputs.mask is None:
        y = layer(x)
        return keras.Model([x], [y, ReadMask()(y)])
    mask = keras.Input(shape[:1], dtype="bool", name="mask")
    y = layer(x, mask=mask) if explicit_mask else layer(AttachMask()([x, mask]))
    return keras.Model([x, mask], [y, ReadMask()(y)])


class Graph:
    """A layer as graphs that know neither batch nor length, each traced once for all checks.

    `self(inputs)` gives outputs, `self.step(inputs)` outputs and the gradients of a loss on all of them,
    padding included, by features (where inputs are features) and weights.
    """

    def __init__(self, case: LayerCase, layer: keras.layers.Layer, *, training: bool = False) -> None:
        inputs = case.inputs(BATCH, LENGTH)
        signature = [tf.TensorSpec(dynamic_shape(inputs), inputs.x.dtype)]
        if inputs.mask is not None:
            signature.append(tf.TensorSpec((None, None), tf.bool))
        arguments = {}
        if "training" in inspect.signature(layer.call).parameters:
            arguments["training"] = training

        def outputs(x, *mask):
            return layer(x, *mask, **arguments)

        def step(x, *mask):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = outputs(x, *mask)
                weights = tf.cos(tf.cast(tf.range(tf.shape(y)[-1]), tf.float32))
                loss = tf.reduce_sum(tf.square(tf.cast(y, tf.float32)) * weights)
            if not case.has_gradient:
                return y, []
            sources = [*([x] if x.dtype.is_floating else []), *layer.trainable_variables]
            return y, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, sources)]

        self._outputs = tf.function(outputs, input_signature=signature)
        self._eager_step = step
        self._graph_step = tf.function(step, input_signature=signature)
        self._xla_step = tf.function(step, input_signature=signature, jit_compile=True)

    def __call__(self, inputs: Inputs) -> np.ndarray:
        return as_array(self._outputs(*map(tf.constant, arrays(inputs))))

    def step(self, inputs: Inputs, mode: str = "graph") -> tuple[np.ndarray, list[np.ndarray]]:
        function = {"eager": self._eager_step, "graph": self._graph_step, "xla": self._xla_step}[mode]
        y, gradients = function(*map(tf.constant, arrays(inputs)))
        return as_array(y), [as_array(gradient) for gradient in gradients]


def check_layer(case: LayerCase, directory: Path) -> None:
    """Runs every check on one layer.

    Args:
        case: the layer and what is to hold of it.
        directory: an empty folder to save a model in.
    """
    check_arguments(case)
    check_config(case)
    check_output_shape(case)
    layer = built(case, case.inputs(BATCH, LENGTH))
    graph = Graph(case, layer)
    check_eager_graph_and_xla_agree(case, graph)
    check_padded_rows(case, graph)
    check_padded_rows_in_training(case, layer)
    check_padding_changes_nothing(case, graph)
    check_batch_composition_changes_nothing(case, graph)
    check_mask_in_and_out(case, layer, graph)
    check_low_precision(case, layer, graph)
    check_reload(case, directory)
    check_training_with_a_short_last_batch(case)


def assert_same(case: LayerCase, received: np.ndarray, expected: np.ndarray) -> None:
    assert_allclose(received, expected, atol=case.tolerance, rtol=1e-5)


def check_arguments(case: LayerCase) -> None:
    layer = case.factory()
    parameters = list(inspect.signature(type(layer).__init__).parameters.values())[1:]
    named = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in named)
    for parameter in named:
        assert getattr(layer, parameter.name) == layer.get_config()[parameter.name], parameter.name
    assert layer.supports_masking
    assert "mask" in inspect.signature(layer.call).parameters
    assert keras.saving.get_registered_name(type(layer)) == f"seqlab>{type(layer).__name__}"
    assert "True" in (type(layer).__doc__ or ""), "the docstring says what True in a mask means"


def check_config(case: LayerCase) -> None:
    config = case.factory().get_config()
    plain = json.loads(json.dumps(config))
    assert type(case.factory()).from_config(plain).get_config() == config


def check_output_shape(case: LayerCase) -> None:
    inputs = case.inputs(BATCH, LENGTH)
    layer = case.factory()
    shape = tuple(call(layer, inputs).shape)
    assert tuple(layer.compute_output_shape(inputs.x.shape)) == shape

    dynamic = tuple(layer.compute_output_shape(dynamic_shape(inputs)))
    assert all(told in (None, true) for told, true in zip(dynamic, shape, strict=True))
    assert dynamic[0] is None

    for static in (True, False):
        output = model_of(case.factory(), inputs, explicit_mask=True, static=static).outputs[0]
        assert all(told in (None, true) for told, true in zip(output.shape, shape, strict=True))
        if static:
            assert output.shape[1:] == shape[1:]


def check_eager_graph_and_xla_agree(case: LayerCase, graph: Graph) -> None:
    """Outputs and gradients."""
    inputs = case.inputs(BATCH, LENGTH)
    output, gradients = graph.step(inputs, "eager")
    assert_same(case, graph(inputs), output)
    for mode in ("graph", "xla"):
        again, gradients_again = graph.step(inputs, mode)
        assert_same(case, again, output)
        for received, expected in zip(gradients_again, gradients, strict=True):
            assert_allclose(received, expected, atol=10 * case.tolerance, rtol=1e-3)


def check_padded_rows(case: LayerCase, graph: Graph) -> None:
    """A wholly padded row gives finite outputs and gradients, changes no other row, and comes out zero."""
    inputs = case.inputs(BATCH, LENGTH)
    blanked = inputs.blanked(1)
    output, gradients = graph.step(blanked)
    assert np.all(np.isfinite(output))
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)

    others = inputs.real & (np.arange(BATCH) != 1)[:, None]
    assert_same(case, case.select(output, others), case.select(graph(inputs), others))
    if case.zero_at_padding:
        padding = ~blanked.real
        if case.select is whole_rows:
            padding &= ~np.any(blanked.real, axis=1, keepdims=True)
        assert_array_equal(case.select(output, padding), 0)


def check_padded_rows_in_training(case: LayerCase, layer: keras.layers.Layer) -> None:
    if "training" not in inspect.signature(layer.call).parameters:
        return
    output, gradients = Graph(case, layer, training=True).step(case.inputs(BATCH, LENGTH).blanked(1), "eager")
    assert np.all(np.isfinite(output))
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


def check_padding_changes_nothing(case: LayerCase, graph: Graph) -> None:
    inputs = case.inputs(BATCH, LENGTH)
    longer = [inputs.padded(1), inputs.padded(6)]
    if dynamic_shape(inputs) == (None, None, None):
        longer += [inputs.padded_characters(1), inputs.padded_characters(6).padded(2)]
    expected = case.select(graph(inputs), inputs.real)
    for padded in longer:
        assert_same(case, case.select(graph(padded), inputs.real), expected)


def check_batch_composition_changes_nothing(case: LayerCase, graph: Graph) -> None:
    """A sentence by itself and without padding gets what it gets in a batch."""
    inputs = case.inputs(BATCH, LENGTH)
    together = graph(inputs)
    for index in range(BATCH):
        alone = inputs.row(index)
        here = inputs.real & (np.arange(BATCH) == index)[:, None]
        assert_same(case, case.select(graph(alone), alone.real), case.select(together, here))


def check_mask_in_and_out(case: LayerCase, layer: keras.layers.Layer, graph: Graph) -> None:
    """A mask on the tensor does what an explicit one does, and the right mask reaches the next layer."""
    inputs = case.inputs(BATCH, LENGTH)
    output, wanted = graph(inputs), case.output_mask(inputs)
    for explicit in (True, False):
        y, mask = model_of(layer, inputs, explicit_mask=explicit)(arrays(inputs))
        assert_same(case, as_array(y), output)
        if wanted is None:
            assert np.all(as_array(mask) == -1), "a mask comes out where none is meant to"
        else:
            assert_array_equal(as_array(mask), wanted.astype(np.float32))


def check_training_with_a_short_last_batch(case: LayerCase) -> None:
    """`fit` in graph mode with five rows in batches of three; the mask reaches the loss."""
    inputs = case.inputs(5, LENGTH)
    layer = built(case, inputs)
    if not layer.trainable_variables:
        return
    model = model_of(layer, inputs, explicit_mask=False)
    model = keras.Model(model.inputs, model.outputs[0])
    model.compile("sgd", "mse", jit_compile=False)
    targets = np.zeros((5, *layer.compute_output_shape(inputs.x.shape)[1:]), dtype=np.float32)
    history = model.fit(arrays(inputs), targets, batch_size=3, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def check_low_precision(case: LayerCase, exact: keras.layers.Layer, graph: Graph) -> None:
    """Half precision: right type, finite outputs and gradients, and near the float32 result."""
    inputs = case.inputs(BATCH, LENGTH).blanked(1)
    expected = case.select(graph(inputs), inputs.real)
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
        for gradient in tape.gradient(loss, layer.trainable_variables):
            assert np.all(np.isfinite(as_array(tf.convert_to_tensor(gradient))))
        assert_allclose(case.select(as_array(y), inputs.real), expected, atol=0.1, rtol=0.1)


def check_reload(case: LayerCase, directory: Path) -> None:
    path, inputs, outputs = _save(case, directory, "layer")
    again = keras.saving.load_model(path)
    assert_array_equal(as_array(again(arrays(inputs))), outputs)


def _save(case: LayerCase, directory: Path, name: str) -> tuple[Path, Inputs, np.ndarray]:
    inputs = case.inputs(2, 3)
    model = model_of(built(case, inputs), inputs, explicit_mask=True)
    model = keras.Model(model.inputs, model.outputs[0])
    path = directory / f"{name}.keras"
    model.save(path)
    return path, inputs, as_array(model(arrays(inputs)))


RELOAD = """
import importlib, sys
from pathlib import Path
import keras, numpy as np
for module in sys.argv[3:]:
    importlib.import_module(module)
for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    saved = np.load(path.with_suffix(".npz"))
    inputs = [saved[name] for name in ("x", "mask") if name in saved]
    outputs = keras.ops.cast(keras.saving.load_model(path)(inputs), "float32")
    outputs = keras.ops.convert_to_numpy(outputs)
    np.testing.assert_allclose(outputs, saved["outputs"], rtol=0, atol=float(sys.argv[2]), err_msg=path.stem)
    print("equal", path.stem)
"""


def check_fresh_process_reload(
    cases: Mapping[str, LayerCase],
    directory: Path,
    modules: Sequence[str] = (
        "seqlab.modeling.tagger",
        "seqlab.modeling.layers.dense_input",
        "seqlab.modeling.layers.masked_max_pooling",
        "seqlab.modeling.layers.time_windows",
        "seqlab.modeling.layers.token_and_position_embedding",
    ),
    *,
    backend: str = "tensorflow",
    tolerance: float = 0.0,
) -> None:
    """Every layer's `.keras` gives equal outputs in one new Python that imports `modules` alone.

    Args:
        cases: by name.
        directory: an empty folder to save models in.
        modules: what the new Python imports.
        backend: the Keras backend that it runs on.
        tolerance: the largest difference; 0 asks for the very same numbers.
    """
    for name, case in cases.items():
        path, inputs, outputs = _save(case, directory, name)
        named = {"x": inputs.x} if inputs.mask is None else {"x": inputs.x, "mask": inputs.mask}
        np.savez(path.with_suffix(".npz"), **named, outputs=outputs)
    process = subprocess.run(
        [sys.executable, "-c", RELOAD, str(directory), str(tolerance), *modules],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(SOURCE), "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.count("equal") == len(cases)
