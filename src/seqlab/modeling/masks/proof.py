"""What training asks of a tagger's masks before its first step."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqlab.errors import SeqlabError
from seqlab.modeling.masks.walk import assert_mask_reaches, padding_changes_output, walk_mask
from seqlab.modeling.tagger import Tagger

# Half precision rounds sums differently at another length; float32 hardly does.
_TOLERANCE = {"float32": 1e-3, "float16": 0.1, "bfloat16": 0.5}


def check_masks(tagger: Tagger, *, max_length: int, max_token_length: int) -> int:
    """Requires that the mask reaches each part of a tagger, and that padding changes no score.

    A made-up batch of a whole and a half-padded sentence is run once layer by layer, and once more with
    twice the padding. Neither needs the corpus, and both together take about a second.

    Args:
        tagger: built; it need not be compiled.
        max_length: the most tokens that it takes, at least 2.
        max_token_length: characters a token is shown with, C.

    Returns:
        How many layers the mask reaches.

    Raises:
        SeqlabError: the mask is lost, padding is marked as real, or scores depend on padding. It names the
            layer, or the place between two layers.
    """
    length = min(8, max_length // 2)
    batch = _half_padded(length, max_token_length)
    assert_mask_reaches(tagger, batch, *(part.name for part in (tagger.encoder, tagger.head)))
    report = walk_mask(tagger, batch)
    if report.faults:
        fault = report.faults[0]
        raise SeqlabError(
            f"{fault.layer_type} {fault.remark}",
            where=fault.path,
            expected="a mask that leaves as it came",
            remedy="read docs/masks.md on layers that change a mask",
        )
    policy = tagger.encoder.dtype_policy.compute_dtype
    change = padding_changes_output(lambda x: tagger(x, training=False), batch, length)
    if not change <= _TOLERANCE[policy]:
        raise SeqlabError(
            "padding changes the scores of real tokens, so a layer ignores its mask",
            where=tagger.name,
            expected=f"no difference above {_TOLERANCE[policy]} when a batch is padded further",
            received=f"{change:.3g}",
            remedy="find the layer with padding_changes_output, called on one part after another",
        )
    return sum(layer.received for layer in report.layers)


def _half_padded(length: int, max_token_length: int) -> dict[str, Any]:
    """Features of two sentences, one as long as the batch and one half as long; every id is 1 or 0."""
    real = (np.arange(length) < np.array([[length], [max(1, length // 2)]])).astype(np.int32)
    return {
        "token_ids": real,
        "shape_ids": real,
        "char_ids": np.broadcast_to(real[..., None], (*real.shape, max_token_length)),
    }
