"""Corpora as files: reading, validating and checking sentences."""
