"""Trace a mask through the layers of a model.

`walk_mask` runs a model eagerly and lists the masks that each layer receives and passes on.
`assert_mask_reaches` raises an error that names the place at which a mask is lost.
`padding_changes_output` measures the effect of padding: a layer that receives a mask may still ignore it.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from seqlab.errors import SeqlabError

Tensor = Any
FILLS = "marks padding as real"
STRIPS = "removes the mask from its input tensor"


@dataclass(eq=False)
class LayerCall:
    """One call of a layer, and what it does with the mask.

    Args:
        layer: the layer.
        path: layer names from the outermost layer to this one, such as `tagger/encoder/block_0`.
        parent: the call during which this one happens.
        earlier: the calls that returned before this one began.
        inputs: the tensor arguments, without masks.
        input_masks: for each of `inputs`, the mask on the tensor before the call, or None.
        masks: all masks received, as arguments or on inputs.
        outputs: the tensors returned.
        output_masks: the masks on the outputs.
        remark: `FILLS`, `STRIPS` or empty.
    """

    layer: keras.layers.Layer
    path: str
    parent: LayerCall | None
    earlier: list[LayerCall]
    inputs: list[Tensor]
    input_masks: list[Tensor | None]
    masks: list[Tensor]
    outputs: list[Tensor] = field(default_factory=list)
    output_masks: list[Tensor] = field(default_factory=list)
    remark: str = ""

    @property
    def layer_type(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__

    @property
    def received(self) -> bool:
        """Whether a mask arrives."""
        return bool(self.masks)

    @property
    def passed_on(self) -> bool:
        """Whether an output carries a mask."""
        return bool(self.output_masks)

    def __str__(self) -> str:
        received = "receives" if self.received else ""
        passed_on = "passes on" if self.passed_on else "ends here" if self.received else ""
        return f"{received:8}  {passed_on:9}  {self.path} ({self.layer_type}) {self.remark}".rstrip()


@dataclass(frozen=True)
class MaskReport:
    """The layer calls of one run of a model, in the order in which they begin."""

    calls: list[LayerCall]

    @property
    def layers(self) -> list[LayerCall]:
        """The calls without repetitions."""
        return list({str(call): call for call in self.calls}.values())

    @property
    def faults(self) -> list[LayerCall]:
        """Layers that mark padding as real or remove the mask from their input tensor."""
        return [layer for layer in self.layers if layer.remark]

    def __str__(self) -> str:
        return "\n".join(map(str, self.layers))

    def require_mask_at(self, *layer_names: str) -> None:
        """Raise the errors of `assert_mask_reaches`."""
        for name in layer_names:
            targets = [call for call in self.calls if f"/{call.path}".endswith(f"/{name}")]
            if not targets:
                raise SeqlabError(
                    "no layer of this name is called",
                    where=name,
                    expected="one of " + ", ".join(dict.fromkeys(call.path for call in self.calls)),
                    remedy="use a name that walk_mask lists",
                )
            for target in targets:
                _require_mask(target)


@contextlib.contextmanager
def recording() -> Iterator[list[LayerCall]]:
    """Record all layer calls within the context, in the order in which they begin."""
    # Keras has no public hook for layer calls, and `call` returns before Keras sets the output's mask.
    original = keras.layers.Layer.__call__
    calls: list[LayerCall] = []
    stack: list[LayerCall] = []

    def record(self: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        try:
            arguments = inspect.signature(self.call).bind_partial(*args, **kwargs).arguments
        except TypeError:  # the layer raises it again, with a better message
            arguments = {}
        explicit = {name: value for name, value in arguments.items() if name.split("_")[-1] == "mask"}
        inputs = _tensors([value for name, value in arguments.items() if name not in explicit])
        call = LayerCall(
            layer=self,
            path="/".join([*(parent.path for parent in stack[-1:]), self.name]),
            parent=stack[-1] if stack else None,
            earlier=[call for call in calls if call not in stack],
            inputs=inputs,
            input_masks=[_mask_of(tensor) for tensor in inputs],
            masks=_tensors(explicit) + _masks_of(inputs),
        )
        calls.append(call)
        stack.append(call)
        try:
            outputs = original(self, *args, **kwargs)
        finally:
            stack.pop()
        call.outputs = _tensors(outputs)
        call.output_masks = _masks_of(call.outputs)
        if len(_masks_of(inputs)) < sum(mask is not None for mask in call.input_masks):
            call.remark = STRIPS
        elif any(_marks_padding_as_real(mask, call.masks) for mask in call.output_masks):
            call.remark = FILLS
        return outputs

    keras.layers.Layer.__call__ = record
    try:
        yield calls
    finally:
        keras.layers.Layer.__call__ = original


def walk_mask(model: Callable[[Any], Any], inputs: Any) -> MaskReport:
    """Run `model(inputs)` and report what every layer does with the mask.

    Args:
        model: a Keras model or layer, or a function that calls layers.
        inputs: a batch for the model. It must contain padding to show layers that mark padding as real.
    """
    model(inputs)  # The first run builds the layers, partly on symbolic tensors.
    with recording() as calls:
        model(inputs)
    return MaskReport(calls)


def assert_mask_reaches(model: Callable[[Any], Any], inputs: Any, *layer_names: str) -> None:
    """Check that the named layers receive a mask that does not mark padding as real.

    Args:
        model: a Keras model or layer, or a function that calls layers.
        inputs: a batch for the model, with padding.
        layer_names: layer names, or endings of the paths that `walk_mask` lists.

    Raises:
        SeqlabError: if a named layer is not called, receives no mask, or receives one that marks padding as
            real. The error names the layer, or the two layers between which the mask is lost.
    """
    walk_mask(model, inputs).require_mask_at(*layer_names)


def padding_changes_output(
    model_call: Callable[[Any], Any], batch: Any, pad_by: int, *, mask: np.ndarray | None = None
) -> float:
    """Return the largest change of a real token's output when padding is appended: about 0 if masks work.

    Args:
        model_call: takes a batch and returns arrays (B, T, ...).
        batch: an array (B, T, ...) or a mapping of them. Zeros are appended along T, which is padding for
            ids, weights and masks alike.
        pad_by: number of positions to append.
        mask: bool (B, T), True = a real token. Defaults to the ids (the batch, or its `token_ids`) not 0.

    Raises:
        SeqlabError: if there are no ids to compute the mask from.
    """
    if mask is None:
        token_ids = batch.get("token_ids") if isinstance(batch, Mapping) else batch
        if token_ids is None or np.ndim(token_ids) != 2:
            raise SeqlabError(
                "unknown which tokens are real",
                where="mask",
                expected="token_ids (B, T) in the batch, or a mask (B, T)",
                remedy="pass mask=",
            )
        mask = np.asarray(token_ids) != 0

    def pad(array: Any) -> np.ndarray:
        return np.pad(array, [(0, 0), (0, pad_by)] + [(0, 0)] * (np.ndim(array) - 2))

    before = keras.tree.flatten(model_call(batch))
    after = keras.tree.flatten(model_call(keras.tree.map_structure(pad, batch)))
    changes = [0.0]
    for short, long in zip(map(_array, before), map(_array, after), strict=True):
        difference = short[mask].astype("float64") - long[:, : mask.shape[1]][mask]
        changes.append(float(np.max(np.abs(difference), initial=0)))
    return max(changes)


def _mask_of(tensor: Tensor) -> Tensor | None:
    return getattr(tensor, "_keras_mask", None)  # as in Keras's masking guide


def _masks_of(tensors: list[Tensor]) -> list[Tensor]:
    return [mask for mask in map(_mask_of, tensors) if mask is not None]


def _array(tensor: Tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def _tensors(structure: Any) -> list[Tensor]:
    return [leaf for leaf in keras.tree.flatten(structure) if keras.ops.is_tensor(leaf)]


def _marks_padding_as_real(output_mask: Tensor, masks: list[Tensor]) -> bool:
    output = _array(output_mask)
    comparable = [mask for mask in map(_array, masks) if mask.shape == output.shape]
    return bool(comparable) and bool(np.any(output & ~np.any(comparable, axis=0)))


def _require_mask(target: LayerCall) -> None:
    if not target.received:
        where, lost, remedy = _place_of_loss(target)
        raise SeqlabError(
            f"the mask is lost: {lost}",
            where=where,
            expected=f"a mask at {target.path} ({target.layer_type})",
            received="none",
            remedy=remedy,
        )
    received = [_array(mask) for mask in target.masks]
    for call in target.earlier:
        wrong = [_array(mask) for mask in call.output_masks if call.remark == FILLS]
        if any(np.array_equal(mask, other) for mask in wrong for other in received):
            raise SeqlabError(
                f"{call.path} ({call.layer_type}) {FILLS}, and {target.path} receives that mask",
                where=call.path,
                expected="an output mask that is False wherever the input masks are False",
                remedy=_remedy(call),
            )


def _place_of_loss(target: LayerCall) -> tuple[str, str, str]:
    """Return where the mask of `target` is lost, how, and the remedy, going back from `target`."""
    call: LayerCall | None = target
    while call is not None:
        source = _source_without_mask(call, call.earlier)
        if source is not None and (source.received or source.remark == STRIPS):
            lost = STRIPS if source.remark == STRIPS else "receives a mask and passes none on"
            return source.path, f"{source.layer_type} {lost}", _remedy(source)
        if source is not None:
            call = source
            continue
        name, parent = call.layer.name, call.parent
        siblings = [other for other in call.earlier if other.parent is parent and other.passed_on]
        if siblings:
            lost = "a raw operation, such as x + y or ops.concatenate, drops the mask"
            return f"between {siblings[-1].path} and {call.path}", lost, f"call {name} with mask=..."
        if parent is not None and parent.received:
            lost = f"{parent.layer_type} receives a mask and does not pass it to {name}"
            return parent.path, lost, f"call {name} with mask=... in {parent.layer_type}.call"
        call = parent
    remedy = "use an embedding that makes one (mask_zero=True), or pass the mask explicitly"
    return target.path, "no layer before it makes a mask", remedy


def _source_without_mask(call: LayerCall, earlier: list[LayerCall]) -> LayerCall | None:
    """Return the call that made an input of `call` without a mask, or removed the mask from an input."""
    for tensor, mask in zip(call.inputs, call.input_masks, strict=True):
        if mask is not None:
            continue
        for source in reversed(earlier):
            if source.remark == STRIPS and any(tensor is given for given in source.inputs):
                return source
            if any(tensor is output for output in source.outputs):
                deeper = _source_without_mask(source, earlier) if source.received else None
                return deeper if deeper is not None and deeper.remark == STRIPS else source
    return None


def _remedy(call: LayerCall) -> str:
    if call.remark == STRIPS:
        return "do attention and sum in one layer with supports_masking = True, and pass the mask explicitly"
    if None in call.input_masks and len(call.input_masks) > 1:
        return f"give every input of {call.layer.name} a mask, or pass mask=... to the next layer"
    if not call.layer.supports_masking:
        return f"set supports_masking = True in {call.layer_type}, or pass mask=... to the next layer"
    return f"pass mask=... to the layer after {call.layer.name}"
