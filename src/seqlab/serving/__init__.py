"""Export of trained taggers (SavedModel, ONNX, MLflow), parity checks, and tagging with an export."""
