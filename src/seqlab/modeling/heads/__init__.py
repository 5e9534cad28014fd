"""Heads: from encoded tokens to tag scores, a loss, tags and probabilities."""
