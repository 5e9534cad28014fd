"""Where a mask goes in a model, and where it ends.

`walk_mask` runs a model once, eagerly, and notes at every layer which masks arrive and which leave.
`assert_mask_reaches` turns a mask that was lost on the way into an error that names the place.
`padding_changes_output` asks the question that no such walk can answer: whether padding matters in the end.

The walk is a structural check: a layer that is handed a mask may still ignore it. Use both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seqlab.errors import SeqlabError
from seqlab.modeling.masks.calls import FILLS, STRIPS, LayerCall, record_calls

Tensor = Any


@dataclass(frozen=True)
class LayerMask:
    """What one layer does with the mask.

    Args:
        path: names from the model down to the layer, `tagger/encoder/block_0`.
        layer_type: the layer's class; in a functional model raw operations are listed too, by theirs.
        received: whether a mask arrived, as an argument or on an input.
        passed_on: whether its output carries a mask.
        remark: `FILLS`, `STRIPS` or empty.
    """

    path: str
    layer_type: str
    received: bool
    passed_on: bool
    remark: str = ""

    def __str__(self) -> str:
        received = "receives" if self.received else "        "
        passed_on = "passes on" if self.passed_on else "ends here" if self.received else "         "
        return f"{received}  {passed_on}  {self.path} ({self.layer_type}) {self.remark}".rstrip()


@dataclass(frozen=True)
class MaskReport:
    """Every layer of a model, in the order in which they are called."""

    layers: tuple[LayerMask, ...]

    @property
    def ends(self) -> tuple[LayerMask, ...]:
        """The layers that receive a mask and pass none on: by intent where time ends, else by mistake."""
        return tuple(layer for layer in self.layers if layer.received and not layer.passed_on)

    @property
    def faults(self) -> tuple[LayerMask, ...]:
        """The layers that mark padding as real, or that take the mask off the tensor they were given."""
        return tuple(layer for layer in self.layers if layer.remark)

    def __str__(self) -> str:
        return "\n".join(str(layer) for layer in self.layers)


def walk_mask(model: Callable[[Any], Any], inputs: Any) -> MaskReport:
    """Runs `model(inputs)` once and says what every layer does with the mask.

    Args:
        model: a Keras model or layer, or a function that calls some.
        inputs: a batch as the model takes it. Only a batch with padding shows a layer that marks padding as
            real.
    """
    report = dict.fromkeys(
        LayerMask(call.path, call.type_name, call.received, call.passed_on, call.remark)
        for call in record_calls(model, inputs)
    )
    return MaskReport(tuple(report))


def assert_mask_reaches(model: Callable[[Any], Any], inputs: Any, *layer_names: str) -> None:
    """Requires that the named layers receive a mask, and the right one.

    Args:
        model: a Keras model or layer, or a function that calls some.
        inputs: a batch as the model takes it, with padding.
        layer_names: names, or the ends of paths as `walk_mask` shows them.

    Raises:
        SeqlabError: when a layer of that name is not called, receives no mask, or receives one that marks
            padding as real. It names the layer, or the place between two layers, at which the mask was lost.
    """
    calls = record_calls(model, inputs)
    for name in layer_names:
        targets = [call for call in calls if f"/{call.path}".endswith(f"/{name}")]
        if not targets:
            raise SeqlabError(
                "no such layer is called",
                where=name,
                expected="one of " + ", ".join(dict.fromkeys(call.path for call in calls)),
                remedy="name a layer as walk_mask shows it",
            )
        for target in targets:
            if not target.received:
                raise _loss_before(target, calls)
            for call in calls[: calls.index(target)]:
                if call.remark == FILLS and _share_a_mask(call.output_masks, target.masks):
                    raise SeqlabError(
                        f"{call.path} ({call.type_name}) {FILLS}, and {target.path} receives that mask",
                        where=call.path,
                        expected="a mask that is False wherever the masks that arrived are",
                        remedy=_remedy(call),
                    )


def padding_changes_output(
    model_call: Callable[[Any], Any], batch: Any, pad_by: int, *, mask: np.ndarray | None = None
) -> float:
    """The largest difference that more padding makes on a real token; 0, or round-off, where masks work.

    Args:
        model_call: takes a batch and returns arrays that begin with (B, T).
        batch: an array or a mapping of arrays that begin with (B, T). Zeros are appended along T, which is
            padding for ids, weights and masks alike.
        pad_by: how many positions to append.
        mask: bool (B, T), True = a real token. None takes the tokens whose id is not 0, from `token_ids`
            where the batch is a mapping.

    Raises:
        SeqlabError: when the real tokens cannot be told.
    """
    if mask is None:
        token_ids = batch.get("token_ids") if isinstance(batch, Mapping) else batch
        if token_ids is None or np.ndim(token_ids) != 2:
            raise SeqlabError(
                "the real tokens cannot be told",
                where="mask",
                expected="token_ids (B, T) in the batch, or a mask (B, T)",
                remedy="give mask=",
            )
        mask = np.asarray(token_ids) != 0

    def pad(array: Any) -> np.ndarray:
        array = np.asarray(array)
        return np.pad(array, [(0, 0), (0, pad_by)] + [(0, 0)] * (array.ndim - 2))

    before = keras.tree.flatten(model_call(batch))
    after = keras.tree.flatten(model_call(keras.tree.map_structure(pad, batch)))
    differences = [0.0]
    for short, long in zip(before, after, strict=True):
        short, long = (np.asarray(keras.ops.convert_to_numpy(output), "float64") for output in (short, long))
        differences.append(float(np.max(np.abs(short[mask] - long[:, : mask.shape[1]][mask]), initial=0)))
    return max(differences)


def _share_a_mask(some: list[Tensor], others: list[Tensor]) -> bool:
    return any(
        np.array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other))
        for one in some
        for other in others
    )


def _loss_before(target: LayerCall, calls: list[LayerCall]) -> SeqlabError:
    """The error for a target that receives no mask, by the way back from it to where one was last seen."""
    call: LayerCall | None = target
    while call is not None:
        earlier = [c for c in calls[: calls.index(call)] if not call.is_inside(c)]
        source = _source_without_mask(call, earlier)
        if source is not None and (source.received or source.strips):
            does = STRIPS if source.strips else "receives a mask and passes none on"
            return _error(
                target,
                where=source.path,
                what=f"{source.type_name} {does}",
                remedy=_remedy(source),
            )
        if source is not None:
            call = source
            continue
        siblings = [c for c in earlier if c.parent is call.parent and c.passed_on]
        if siblings:
            return _error(
                target,
                where=f"between {siblings[-1].path} and {call.path}",
                what="a raw operation, such as x + y or ops.concatenate, drops the mask",
                remedy=f"call {call.operation.name} with mask=...",
            )
        if call.parent is not None and call.parent.received:
            return _error(
                target,
                where=call.parent.path,
                what=f"{call.parent.type_name} receives a mask and does not hand it to {call.operation.name}",
                remedy=f"call {call.operation.name} with mask=... in {call.parent.type_name}.call",
            )
        call = call.parent
    return _error(
        target,
        where=target.path,
        what="no layer before it makes a mask",
        remedy="use an embedding that makes one (mask_zero=True), or give the mask explicitly",
    )


def _source_without_mask(call: LayerCall, earlier: list[LayerCall]) -> LayerCall | None:
    """The call that made an input of `call` and gave it no mask, or that took its mask off."""
    for tensor, mask in zip(call.inputs, call.input_masks, strict=True):
        if mask is not None:
            continue
        for source in reversed(earlier):
            if source.strips and any(tensor is given for given in source.inputs):
                return source
            if any(tensor is output for output in source.outputs):
                deeper = _source_without_mask(source, earlier) if source.received else None
                return deeper if deeper is not None and deeper.strips else source
    return None


def _error(target: LayerCall, *, where: str, what: str, remedy: str) -> SeqlabError:
    return SeqlabError(
        f"the mask is lost: {what}",
        where=where,
        expected=f"a mask at {target.path} ({target.type_name})",
        received="none",
        remedy=remedy,
    )


def _remedy(call: LayerCall) -> str:
    if call.strips:
        return (
            "do attention and sum in one layer with supports_masking = True, and give it the mask explicitly"
        )
    if None in call.input_masks and len(call.input_masks) > 1:
        return f"give every input of {call.operation.name} a mask, or the layer after it mask=..."
    if isinstance(call.operation, keras.layers.Layer) and not call.operation.supports_masking:
        return f"set supports_masking = True in {call.type_name}, or give the layer after it mask=..."
    return f"give the layer after {call.operation.name} mask=..."
