"""Write heads as ONNX: logits, the best allowed tag sequence, and the probabilities of its tags."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.masks.masked_ops import MASKED_SCORE
from seqlab.serving.onnx.onnx_graph import OnnxGraph, UnsupportedLayerError, affine, weight_of


def project(g: OnnxGraph, head: Any, x: str) -> str:
    """Write the projection of a head: float (B, T, E) to logits (B, T, K).

    Raises:
        UnsupportedLayerError: the head is neither a `SoftmaxHead` nor a `CRFHead`.
    """
    if not isinstance(head, (SoftmaxHead, CRFHead)):
        raise UnsupportedLayerError.of_layer(head)
    can_predict = np.array(head.constraints.can_predict)
    kernel, bias = (weight_of(part) for part in (head.projection.kernel, head.projection.bias))
    return affine(g, x, np.where(can_predict, kernel, 0), np.where(can_predict, bias, MASKED_SCORE))


def decode(g: OnnxGraph, head: SoftmaxHead | CRFHead, logits: str, mask: str) -> tuple[str, str]:
    """Write decoding: logits (B, T, K) and mask, bool (B, T), to tag ids, int32 (B, T), and probabilities."""
    allowed = head.constraints
    start, end, transitions = (
        np.array(scores, np.float32)
        for scores in (allowed.start_scores, allowed.end_scores, allowed.transition_scores)
    )
    if isinstance(head, SoftmaxHead):
        probabilities = g.op("Softmax", logits, axis=-1)
        if allowed.is_free:
            tag_ids = g.cast(g.op("ArgMax", logits, axis=-1, keepdims=0), np.int32)
        else:
            log_p = g.op("LogSoftmax", logits, axis=-1)
            tag_ids = _best_tags(g, _with_boundaries(g, log_p, start, end, mask), transitions, mask)
    else:
        start += weight_of(head.start)
        end += weight_of(head.end)
        transitions += weight_of(head.transitions)
        emissions = _with_boundaries(g, logits, start, end, mask)
        tag_ids = _best_tags(g, emissions, transitions, mask)
        probabilities = _marginals(g, emissions, transitions, mask)
    tag_ids = g.op("Where", mask, tag_ids, np.array(0, np.int32))
    place = g.op("Unsqueeze", tag_ids, np.array([2]))
    chosen = g.op("Squeeze", g.op("GatherElements", probabilities, place, axis=2), np.array([2]))
    return tag_ids, g.op("Where", mask, chosen, 0.0)


def _with_boundaries(g: OnnxGraph, emissions: str, start: np.ndarray, end: np.ndarray, mask: str) -> str:
    """Add the start and end scores to the emissions (B, T, K) of the first and the last real token."""
    real = g.cast(mask, np.int32)
    after, before = (  # the mask of the next and of the previous token; negative padding removes a column
        g.op("Pad", real, np.array(pads)) for pads in ([0, -1, 0, 1], [0, 1, 0, -1])
    )
    for neighbour, scores in ((before, start), (after, end)):
        at_edge = g.op("And", mask, g.op("Equal", neighbour, np.array(0, np.int32)))
        added = g.op("Where", g.op("Unsqueeze", at_edge, np.array([2])), scores, 0.0)
        emissions = g.op("Add", emissions, added)
    return g.op("Where", g.op("Unsqueeze", mask, np.array([2])), emissions, 0.0)


def _following(g: OnnxGraph, emissions: str, mask: str) -> tuple[str, str, str]:
    """Return the emissions of the first token (B, K) and of each next token (T, B, K), and its mask."""
    by_time = g.op("Transpose", emissions, perm=[1, 0, 2])
    real = g.op("Transpose", g.cast(mask, np.int32), perm=[1, 0])
    first = g.op("Gather", by_time, np.array(0), axis=0)
    scores = g.op("Pad", by_time, np.array([-1, 0, 0, 1, 0, 0]))
    is_real = g.op("Pad", real, np.array([-1, 0, 1, 0]))
    return first, scores, g.cast(g.op("Unsqueeze", is_real, np.array([2])), np.bool_)


def _best_tags(g: OnnxGraph, emissions: str, transitions: np.ndarray, mask: str) -> str:
    """Write the Viterbi algorithm: tag ids, int32 (B, T)."""
    first, following, is_real = _following(g, emissions, mask)
    table = g.value(transitions[None])
    step = OnnxGraph("viterbi_")
    candidates = step.op("Add", step.op("Unsqueeze", "viterbi_scores", np.array([2])), table)
    best = step.op("ReduceMax", candidates, np.array([1]), keepdims=0)
    moved = step.op("Where", "viterbi_is_real", step.op("Add", best, "viterbi_emission"), "viterbi_scores")
    previous = step.op("ArgMax", candidates, axis=1, keepdims=0)
    same = np.arange(len(transitions), dtype=np.int64)[None]
    pointers = step.op("Where", "viterbi_is_real", previous, same)
    last, pointers = g.scan(
        step,
        [("viterbi_scores", first, moved)],
        [("viterbi_emission", following), ("viterbi_is_real", is_real)],
        [pointers],
    )
    back = OnnxGraph("back_")
    came_from = back.op("GatherElements", "back_pointers", "back_tag", axis=1)
    _, tags = g.scan(
        back,
        [("back_tag", g.op("ArgMax", last, axis=1, keepdims=1), came_from)],
        [("back_pointers", pointers)],
        [back.op("Identity", came_from)],
        reverse=True,
    )
    return g.cast(g.op("Transpose", g.op("Squeeze", tags, np.array([2])), perm=[1, 0]), np.int32)


def _marginals(g: OnnxGraph, emissions: str, transitions: np.ndarray, mask: str) -> str:
    """Write the forward-backward algorithm: probabilities, float (B, T, K)."""
    first, following, is_real = _following(g, emissions, mask)
    table = g.value(transitions[None])
    forward = OnnxGraph("forward_")
    sums = forward.op("Add", forward.op("Unsqueeze", "forward_alpha", np.array([2])), table)
    moved = forward.op(
        "Add", forward.op("ReduceLogSumExp", sums, np.array([1]), keepdims=0), "forward_emission"
    )
    moved = forward.op("Where", "forward_is_real", moved, "forward_alpha")
    last, alphas = g.scan(
        forward,
        [("forward_alpha", first, moved)],
        [("forward_emission", following), ("forward_is_real", is_real)],
        [forward.op("Identity", "forward_alpha")],
    )
    backward = OnnxGraph("backward_")
    onward = backward.op("Add", "backward_emission", "backward_beta")
    sums = backward.op("Add", table, backward.op("Unsqueeze", onward, np.array([1])))
    moved = backward.op("ReduceLogSumExp", sums, np.array([2]), keepdims=0)
    moved = backward.op("Where", "backward_is_real", moved, "backward_beta")
    _, betas = g.scan(
        backward,
        [("backward_beta", g.op("Mul", last, 0.0), moved)],
        [("backward_emission", following), ("backward_is_real", is_real)],
        [backward.op("Identity", moved)],
        reverse=True,
    )
    probabilities = g.op("Softmax", g.op("Add", alphas, betas), axis=-1)
    return g.op("Transpose", probabilities, perm=[1, 0, 2])
