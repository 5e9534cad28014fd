"""One run of a model, call by call, with the masks that came and went."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras.src.backend import get_keras_mask

Tensor = Any
FILLS = "marks padding as real"
STRIPS = "takes the mask off the tensor it was given"


@dataclass(eq=False)
class LayerCall:
    """One call of a layer, or of a raw operation in a functional model.

    Args:
        operation: the layer.
        parent: the call that this one happens in.
        inputs: the tensors it was called with, masks aside.
        input_masks: the mask that each of `inputs` carried at that moment, or None.
        explicit_masks: the masks given as arguments (`mask`, `attention_mask` and the like).
        outputs: the tensors it returned.
        output_masks: the masks that its outputs carry.
        strips: whether it took the mask off one of `inputs`, which its caller may go on using.
    """

    operation: Any
    parent: LayerCall | None
    inputs: list[Tensor]
    input_masks: list[Tensor | None]
    explicit_masks: list[Tensor]
    outputs: list[Tensor] = field(default_factory=list)
    output_masks: list[Tensor] = field(default_factory=list)
    strips: bool = False

    @property
    def path(self) -> str:
        """Names from the outermost layer down to this one."""
        return f"{self.parent.path}/{self.operation.name}" if self.parent else self.operation.name

    def is_inside(self, other: LayerCall) -> bool:
        """Whether `other` had not returned yet when this call began."""
        return self.parent is not None and (self.parent is other or self.parent.is_inside(other))

    @property
    def type_name(self) -> str:
        """The layer's class."""
        return type(self.operation).__name__

    @property
    def masks(self) -> list[Tensor]:
        """Every mask that arrived."""
        return [*self.explicit_masks, *(mask for mask in self.input_masks if mask is not None)]

    @property
    def received(self) -> bool:
        """Whether a mask arrived."""
        return bool(self.masks)

    @property
    def passed_on(self) -> bool:
        """Whether a mask leaves."""
        return bool(self.output_masks)

    @property
    def remark(self) -> str:
        """`STRIPS`, `FILLS` or empty."""
        if self.strips:
            return STRIPS
        given = [np.asarray(keras.ops.convert_to_numpy(mask)) for mask in self.masks]
        for output_mask in self.output_masks:
            leaving = np.asarray(keras.ops.convert_to_numpy(output_mask))
            comparable = [mask for mask in given if mask.shape == leaving.shape]
            if comparable and np.any(leaving & ~np.any(comparable, axis=0)):
                return FILLS
        return ""


def record_calls(model: Callable[[Any], Any], inputs: Any) -> list[LayerCall]:
    """The calls that one eager run of `model(inputs)` makes, in the order in which they begin.

    Keras is as it was afterwards, also when the run fails.
    """
    model(inputs)  # A first run builds layers, in a graph whose masks have no values.
    calls: list[LayerCall] = []
    with _recording(calls):
        model(inputs)
    return calls


@contextlib.contextmanager
def _recording(calls: list[LayerCall]) -> Iterator[None]:
    """Notes every call of a layer, and in functional models of a raw operation, while the context lasts."""
    layer_type, operation_type = keras.layers.Layer, keras.Operation
    originals = layer_type.__call__, operation_type.__call__
    stack: list[LayerCall] = []

    def observed(original: Callable[..., Any], operation: Any, args: Any, kwargs: Any) -> Any:
        call = _begin(operation, stack[-1] if stack else None, args, kwargs)
        calls.append(call)
        stack.append(call)
        try:
            outputs = original(operation, *args, **kwargs)
        finally:
            stack.pop()
        call.outputs = _tensors(outputs)
        call.output_masks = [mask for mask in map(get_keras_mask, call.outputs) if mask is not None]
        call.strips = any(
            mask is not None and get_keras_mask(tensor) is None
            for tensor, mask in zip(call.inputs, call.input_masks, strict=True)
        )
        return outputs

    def call_layer(self: Any, *args: Any, **kwargs: Any) -> Any:
        return observed(originals[0], self, args, kwargs)

    def call_operation(self: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self, layer_type):  # on its way up from Layer.__call__, where it has been noted
            return originals[1](self, *args, **kwargs)
        return observed(originals[1], self, args, kwargs)

    layer_type.__call__, operation_type.__call__ = call_layer, call_operation
    try:
        yield
    finally:
        layer_type.__call__, operation_type.__call__ = originals


def _begin(operation: Any, parent: LayerCall | None, args: Any, kwargs: Any) -> LayerCall:
    try:
        arguments = inspect.signature(operation.call).bind_partial(*args, **kwargs).arguments
    except TypeError:  # the layer itself will say so
        arguments = {}
    is_mask = {name: name == "mask" or name.endswith("_mask") for name in arguments}
    inputs = _tensors([value for name, value in arguments.items() if not is_mask[name]])
    return LayerCall(
        operation=operation,
        parent=parent,
        inputs=inputs,
        input_masks=[get_keras_mask(tensor) for tensor in inputs],
        explicit_masks=_tensors([value for name, value in arguments.items() if is_mask[name]]),
    )


def _tensors(structure: Any) -> list[Tensor]:
    return [leaf for leaf in keras.tree.flatten(structure) if keras.ops.is_tensor(leaf)]
