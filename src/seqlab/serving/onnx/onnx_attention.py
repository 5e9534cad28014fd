"""Write the parts of self-attention that all encoders share as ONNX."""

from __future__ import annotations

import numpy as np

from seqlab.modeling.masks.masked_ops import MASKED_SCORE
from seqlab.serving.onnx.onnx_graph import OnnxGraph, affine


def project_to_heads(g: OnnxGraph, x: str, kernel: np.ndarray, bias: np.ndarray, *, heads: int) -> str:
    """Write queries, keys or values: float (B, T, D) to (B, heads, T, units / heads).

    One product for all three would have to be split again, which takes longer than it saves.

    Args:
        x: float (B, T, D).
        kernel: float (D, units).
        bias: float (units,).
        heads: the number of heads.
    """
    projected = affine(g, x, kernel, bias)
    by_head = g.reshape(projected, g.size(x, 0), g.size(x, 1), heads, kernel.shape[1] // heads)
    return g.op("Transpose", by_head, perm=[0, 2, 1, 3])


def dot_products(g: OnnxGraph, query: str, key: str) -> str:
    """Write the products of queries and keys, float (B, heads, T, d) each, to scores (B, heads, T, T)."""
    return g.op("MatMul", query, g.op("Transpose", key, perm=[0, 1, 3, 2]))


def attend(g: OnnxGraph, scores: str, value: str, mask: str, *, units: int) -> str:
    """Write the sums of the values, weighted by a softmax of the scores that leaves padding out.

    Args:
        scores: float (B, heads, T, T).
        value: float (B, heads, T, units / heads).
        mask: bool (B, T).
        units: the size of the result, float (B, T, units).
    """
    # Adding a bias (B, 1, T, T) is faster than `Where` on the scores (B, heads, T, T).
    bias = g.op("Where", g.op("Unsqueeze", mask, np.array([1, 2])), 0.0, MASKED_SCORE)
    length = g.size(mask, 1)
    shape = g.op("Concat", g.size(mask, 0), np.array([1]), length, length, axis=0)
    weights = g.op("Softmax", g.op("Add", scores, g.op("Expand", bias, shape)), axis=-1)
    context = g.op("Transpose", g.op("MatMul", weights, value), perm=[0, 2, 1, 3])
    return g.reshape(context, g.size(mask, 0), length, units)
