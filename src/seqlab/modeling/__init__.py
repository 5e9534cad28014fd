"""Keras taggers with masks that are proven right; knows nothing of corpora, DVC or MLflow."""
