"""Mask operations that layers share, and checks that a model uses its mask."""
