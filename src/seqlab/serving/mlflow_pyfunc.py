"""How MLflow tags text with an exported tagger; copied into every model, so it imports nothing of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow


class TextTagger(mlflow.pyfunc.PythonModel):
    """Raw sentences in, one dictionary for each out.

    The artifact `export` is the folder of the SavedModel, whose signature `text` is called.
    """

    def load_context(self, context: Any) -> None:
        """Loads the SavedModel; TensorFlow is imported here and not when a model is logged."""
        import tensorflow as tf

        self._model = tf.saved_model.load(str(Path(context.artifacts["export"])))  # keeps the weights alive
        self._function = self._model.signatures["text"]

    # MLflow reads a signature of its own from a type hint on `model_input`, and warns of this one.
    def predict(  # type: ignore[no-untyped-def]
        self, context: Any, model_input, params: Any = None
    ) -> list[dict[str, Any]]:
        """Tags sentences.

        Args:
            context: unused; MLflow passes it.
            model_input: a list or array of strings, or a table whose only column holds them.
            params: unused; MLflow passes it.

        Returns:
            For each sentence `tokens`, their `tags`, `probabilities`, and places `starts` and `ends` in
            characters; and where tags are spans `spans`, each with `type`, `text`, `start`, `end`.
        """
        import tensorflow as tf

        if hasattr(model_input, "columns"):
            if len(model_input.columns) != 1:
                raise ValueError(f"expected one column of text, received {list(model_input.columns)}")
            model_input = model_input.iloc[:, 0]
        texts = [model_input] if isinstance(model_input, str) else [str(text) for text in model_input]
        outputs = self._function(texts=tf.constant([text.encode() for text in texts], tf.string))
        arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
        return [
            _row(text, {name: array[i] for name, array in arrays.items()}) for i, text in enumerate(texts)
        ]


def _row(text: str, row: dict[str, Any]) -> dict[str, Any]:
    count = int(row["mask"].sum())
    starts, ends = row["token_starts"][:count].tolist(), row["token_ends"][:count].tolist()
    tagged: dict[str, Any] = {
        "tokens": [token.decode() for token in row["tokens"][:count]],
        "tags": [tag.decode() for tag in row["tags"][:count]],
        "probabilities": row["probabilities"][:count].tolist(),
        "starts": starts,
        "ends": ends,
    }
    if "span_types" in row:
        spans = zip(row["span_types"], row["span_starts"].tolist(), row["span_ends"].tolist(), strict=True)
        tagged["spans"] = [
            {
                "type": entity_type.decode(),
                "text": text[starts[first] : ends[stop - 1]],
                "start": starts[first],
                "end": ends[stop - 1],
            }
            for entity_type, first, stop in spans
            if first >= 0
        ]
    return tagged


mlflow.models.set_model(TextTagger())
