"""`tagger.json` of an export: everything but the weights, so that other programs can use the ONNX files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.serving.graph.code_points import normal_forms
from seqlab.tags import split_tag
from seqlab.text.tokenizer_rules import tokenizer_rules


def tagger_rules(
    head: Any,
    *,
    encoder: FeatureEncoder,
    tags: Vocabulary,
    spans: bool,
    max_length: int,
    overlap: int,
    pieces: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the content of `tagger.json`, which docs/serving.md describes.

    Tables of characters follow the Unicode version of the Python that exports, as in the SavedModel.

    Args:
        head: the tagger's `SoftmaxHead` or `CRFHead`.
        encoder: the vocabularies that the tagger was trained with.
        tags: the tag vocabulary.
        spans: whether the tags encode spans.
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share.
        pieces: the rules of the pretrained encoder's tokenizer, if the tagger has one; see `piece_rules`.
    """
    forms = normal_forms(lowercase=encoder.lowercase)
    return {
        **tokenizer_rules(),
        "features": {
            "tokens": encoder.tokens.entries,
            "characters": encoder.characters.entries,
            "shapes": encoder.shapes.entries,
            "max_token_length": encoder.max_token_length,
            "normal_forms": {chr(i): chr(forms[i]) for i in np.flatnonzero(forms != np.arange(len(forms)))},
        },
        "window": {"max_length": max_length, "overlap": overlap},
        "tags": tags.entries,
        "spans": [list(split_tag(tag)) for tag in tags.entries] if spans else None,
        "decoding": _decoding(head),
        **({"pieces": {**pieces, "special": asdict(encoder.pieces)}} if pieces and encoder.pieces else {}),
    }


def _decoding(head: Any) -> dict[str, Any]:
    """Return how tags follow from logits, and the scores that the search for the best sequence adds."""
    allowed = head.constraints
    scores = [
        np.array(values, np.float32)
        for values in (allowed.start_scores, allowed.end_scores, allowed.transition_scores)
    ]
    if isinstance(head, CRFHead):
        learned = (head.start, head.end, head.transitions)
        scores = [x + np.asarray(weight, np.float32) for x, weight in zip(scores, learned, strict=True)]
    elif allowed.is_free:
        return {"type": "argmax"}
    named = {name: x.tolist() for name, x in zip(("start", "end", "transitions"), scores, strict=True)}
    return {"type": "crf" if isinstance(head, CRFHead) else "constrained", **named}
