"""Heads: from encoded tokens to tag scores, a loss, tags and probabilities."""

from __future__ import annotations

from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.heads.tag_constraints import TagConstraints
from seqlab.modeling.heads.tagging_head import TaggingHead
from seqlab.modeling.heads.token_accuracy import TokenAccuracy

__all__ = ["CRFHead", "SoftmaxHead", "TagConstraints", "TaggingHead", "TokenAccuracy"]
