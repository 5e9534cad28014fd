"""Build an ONNX graph operation by operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seqlab.errors import SeqlabError

OPSET = 20

Value = str | float | int | np.ndarray
"""The name of a tensor in the graph, or a constant; numbers are float32 scalars."""

_TYPES = {
    np.dtype(np.float32): onnx.TensorProto.FLOAT,
    np.dtype(np.int32): onnx.TensorProto.INT32,
    np.dtype(np.int64): onnx.TensorProto.INT64,
    np.dtype(np.bool_): onnx.TensorProto.BOOL,
}


class UnsupportedLayerError(SeqlabError):
    """A layer or an activation that cannot be written as ONNX."""

    @classmethod
    def of_layer(cls, layer: Any) -> UnsupportedLayerError:
        """Return the error for a layer of an unknown type."""
        return cls(
            "this layer cannot be written as ONNX",
            where=layer.name,
            received=type(layer).__name__,
            remedy="use the SavedModel, or add the layer to seqlab.serving.onnx",
        )

    @classmethod
    def of_activation(cls, layer: Any, activation: str) -> UnsupportedLayerError:
        """Return the error for a layer with an unknown activation."""
        return cls(
            "this activation cannot be written as ONNX",
            where=layer.name,
            received=activation,
            remedy="use the SavedModel, or add the activation to seqlab.serving.onnx",
        )


class OnnxGraph:
    """A graph under construction; each operation returns the name of its output.

    Args:
        prefix: prefix of all names of this graph. The body of a loop needs its own.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._count = 0

    def op(self, kind: str, *inputs: Value, **attributes: Any) -> str:
        """Add an operation with one output."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: Value, outputs: int, **attributes: Any) -> list[str]:
        """Add an operation with several outputs."""
        names = [self._name(kind) for _ in range(outputs)]
        self._nodes.append(helper.make_node(kind, [self.value(x) for x in inputs], names, **attributes))
        return names

    def value(self, value: Value) -> str:
        """Return the name of a tensor; a constant is added to the graph first."""
        if isinstance(value, str):
            return value
        array = np.asarray(value, None if isinstance(value, np.ndarray) else np.float32)
        name = self._name("constant")
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def cast(self, x: Value, dtype: Any) -> str:
        """Add a cast to a NumPy type."""
        return self.op("Cast", x, to=_TYPES[np.dtype(dtype)])

    def reshape(self, x: Value, *sizes: int | str) -> str:
        """Add a reshape; a size may be the name of an int64 (1,) tensor."""
        if all(isinstance(size, int) for size in sizes):
            return self.op("Reshape", x, np.array(sizes, np.int64))
        parts = [np.array([size], np.int64) if isinstance(size, int) else size for size in sizes]
        return self.op("Reshape", x, self.op("Concat", *parts, axis=0))

    def size(self, x: Value, axis: int) -> str:
        """Add the size along an axis, int64 (1,)."""
        return self.op("Shape", x, start=axis, end=axis + 1)

    def scan(
        self,
        body: OnnxGraph,
        states: Sequence[tuple[str, Value, str]],
        inputs: Sequence[tuple[str, Value]],
        outputs: Sequence[str],
        *,
        reverse: bool = False,
    ) -> list[str]:
        """Run `body` for each entry along the inputs' first axis.

        Args:
            body: the graph of one step; it may use the tensors of this graph.
            states: for each state its name in the body, its initial value, and the name of its next value.
            inputs: for each input its name in the body and the tensor (steps, ...).
            outputs: names in the body of the outputs to collect.
            reverse: whether to run from the last entry to the first.

        Returns:
            The final states, then the collected outputs (steps, ...).
        """

        def tensors(names: Sequence[str]) -> list[Any]:
            return [helper.make_empty_tensor_value_info(name) for name in names]

        graph = helper.make_graph(
            body._nodes,
            self._name("body"),
            tensors([name for name, _, _ in states] + [name for name, _ in inputs]),
            tensors([after for _, _, after in states] + list(outputs)),
            body._constants,
        )
        direction = int(reverse)
        return self.ops(
            "Scan",
            *(first for _, first, _ in states),
            *(tensor for _, tensor in inputs),
            outputs=len(states) + len(outputs),
            body=graph,
            num_scan_inputs=len(inputs),
            scan_input_directions=[direction] * len(inputs),
            scan_output_directions=[direction] * len(outputs),
        )

    def model(
        self,
        inputs: dict[str, tuple[Any, Sequence[int | str]]],
        outputs: dict[str, tuple[str, Any, Sequence[int | str]]],
        *,
        metadata: dict[str, str],
    ) -> Any:
        """Return the finished model.

        Args:
            inputs: for each input its type and shape; a dynamic size is given by a name.
            outputs: for each output its tensor, type and shape.
            metadata: properties stored in the file.
        """
        for name, (tensor, _, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [tensor], [name]))
        graph = helper.make_graph(
            self._nodes,
            "seqlab",
            [helper.make_tensor_value_info(name, _TYPES[np.dtype(t)], s) for name, (t, s) in inputs.items()],
            [
                helper.make_tensor_value_info(name, _TYPES[np.dtype(t)], s)
                for name, (_, t, s) in outputs.items()
            ],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="seqlab", ir_version=9
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}{kind}_{self._count}"


def weight_of(variable: Any) -> np.ndarray:
    """Return the value of a Keras variable, float32."""
    return np.asarray(variable, np.float32)


def affine(g: OnnxGraph, x: Value, kernel: np.ndarray, bias: np.ndarray) -> str:
    """Write `x @ kernel + bias`: float (..., D) to (..., units).

    The product is that of two matrices, which ONNX Runtime fuses with the sum.
    """
    size, units = kernel.shape
    flat = g.op("Add", g.op("MatMul", g.reshape(x, -1, size), kernel), bias)
    shape = g.op("Concat", g.op("Shape", x, end=-1), np.array([units]), axis=0)
    return g.op("Reshape", flat, shape)


def layer_norm(g: OnnxGraph, layer: Any, x: Value) -> str:
    """Write Keras's `LayerNormalization` over the last axis."""
    return g.op(
        "LayerNormalization", x, weight_of(layer.gamma), weight_of(layer.beta), axis=-1, epsilon=layer.epsilon
    )
