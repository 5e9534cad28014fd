"""Encoders: layers from token vectors (B, T, D) to contextual vectors (B, T, E)."""
