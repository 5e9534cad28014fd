"""Trained taggers in forms that other programs can use: SavedModel, ONNX, command line; and their proofs."""
