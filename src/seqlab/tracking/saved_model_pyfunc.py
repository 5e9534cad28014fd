"""How MLflow loads and calls an exported tagger; copied into every model, so it imports nothing of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np


class SavedModelTagger(mlflow.pyfunc.PythonModel):
    """Calls one signature of a SavedModel: tensors by name in, tensors by name out.

    The artifact `export` is the SavedModel's folder, or one that holds it in `saved_model_path`
    of the model's configuration; `signature_name` names the signature.
    """

    def load_context(self, context: Any) -> None:
        """Loads the SavedModel; TensorFlow is imported here and not when a model is logged."""
        import tensorflow as tf

        config = context.model_config or {}
        folder = Path(context.artifacts["export"]) / config.get("saved_model_path", ".")
        self._model = tf.saved_model.load(str(folder))  # keeps the variables alive
        self._function = self._model.signatures[config.get("signature_name", "serving_default")]
        self._inputs = self._function.structured_input_signature[1]

    # MLflow reads a signature of its own from a type hint on `model_input`, and warns of this one.
    def predict(self, context: Any, model_input, params: Any = None) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
        """Tags a batch.

        Args:
            context: unused; MLflow passes it.
            model_input: arrays by the signature's input names; or one array, list or table column
                if the signature has a single input.
            params: unused; MLflow passes it.

        Returns:
            Arrays by the signature's output names.
        """
        import tensorflow as tf

        if hasattr(model_input, "columns"):
            model_input = {name: model_input[name].to_list() for name in model_input.columns}
        if not isinstance(model_input, dict):
            (name,) = self._inputs
            model_input = {name: model_input}
        tensors = {
            name: tf.constant(model_input[name], dtype=spec.dtype) for name, spec in self._inputs.items()
        }
        return {name: tensor.numpy() for name, tensor in self._function(**tensors).items()}


mlflow.models.set_model(SavedModelTagger())
