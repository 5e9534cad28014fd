"""The code of the MLflow model. It is copied into every model, so it must not import seqlab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow


class TextTagger(mlflow.pyfunc.PythonModel):
    """Tags raw sentences with the signature `text` of the SavedModel in the artifact `export`."""

    def load_context(self, context: Any) -> None:
        """Load the SavedModel. TensorFlow is not imported when a model is logged."""
        import tensorflow as tf

        self._model = tf.saved_model.load(str(Path(context.artifacts["export"])))  # holds the weights
        self._function = self._model.signatures["text"]

    # A type hint on `model_input` would make MLflow infer another signature.
    def predict(  # type: ignore[no-untyped-def]
        self, context: Any, model_input, params: Any = None
    ) -> list[dict[str, Any]]:
        """Tag raw sentences: a string, a list or array of strings, or a table with one column of strings.

        Returns:
            For each sentence `tokens`, `tags`, `probabilities`, and the offsets `starts` and `ends` in
            characters. If tags encode spans, also `spans`, each with `type`, `text`, `start` and `end`.
        """
        import tensorflow as tf

        if hasattr(model_input, "columns"):
            if len(model_input.columns) != 1:
                raise ValueError(f"expected one column of text, received {list(model_input.columns)}")
            model_input = model_input.iloc[:, 0]
        texts = [model_input] if isinstance(model_input, str) else [str(text) for text in model_input]
        outputs = self._function(texts=tf.constant([text.encode() for text in texts], tf.string))
        columns = {name: tensor.numpy() for name, tensor in outputs.items()}
        return [_row(text, {name: x[i] for name, x in columns.items()}) for i, text in enumerate(texts)]


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
        tagged["spans"] = []
        for entity_type, first, stop in zip(
            row["span_types"], row["span_starts"], row["span_ends"], strict=True
        ):
            if first >= 0:
                span = {"start": starts[first], "end": ends[stop - 1]}
                covered = text[span["start"] : span["end"]]
                tagged["spans"].append({"type": entity_type.decode(), "text": covered, **span})
    return tagged


mlflow.models.set_model(TextTagger())
