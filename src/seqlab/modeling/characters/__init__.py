"""Character encoders: layers from character ids (B, T, C) to token vectors (B, T, D)."""
