"""A tagger: an embedder, an encoder and a head, put together.

Importing this module registers every part with Keras, so that `keras.saving.load_model` finds them.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

import seqlab.modeling.embedder
import seqlab.modeling.encoders.bilstm_encoder
import seqlab.modeling.encoders.transformer_encoder
import seqlab.modeling.heads.crf_head
import seqlab.modeling.heads.softmax_head
import seqlab.modeling.optimizer  # noqa: F401
from seqlab.modeling.graph import can_trace_statically, compiled_function, static_shape_train_function


@keras.saving.register_keras_serializable(package="seqlab")
class Tagger(keras.Model):
    """Tag scores for each token of right-padded sentences.

    The mask is made once, from `token_ids != 0` (True = a real token), and handed to every part by name, so
    that no layer in between can lose it.

    Args:
        embedder: layer, `embedder(features, mask=mask)` gives float (B, T, D).
        encoder: layer, `encoder(x, mask=mask)` gives float (B, T, E).
        head: layer with `head(x, mask=mask)` giving logits float32 (B, T, K), and `loss`, `decode` and
            `probabilities` over them.
    """

    def __init__(
        self,
        *,
        embedder: keras.layers.Layer,
        encoder: keras.layers.Layer,
        head: keras.layers.Layer,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.embedder, self.encoder, self.head = embedder, encoder, head
        self._traced_step: Any = None
        self._decode_function: Any = None

    def build(self, input_shape: dict[str, tuple[int | None, ...]]) -> None:
        """Build the three parts for the features' shapes, (B, T) or (B, T, C)."""
        embedded = self.embedder.compute_output_shape(input_shape)
        encoded = self.encoder.compute_output_shape(embedded)
        for part, shape in ((self.embedder, input_shape), (self.encoder, embedded), (self.head, encoded)):
            if not part.built:  # parts that come from a file are built already
                part.build(shape)
        self.built = True

    def compute_token_mask(self, features: dict[str, Any]) -> Any:
        """Bool (B, T), True = a real token."""
        return ops.not_equal(features["token_ids"], 0)

    def call(self, features: dict[str, Any], training: bool | None = None) -> Any:
        """Features, int32 (B, T[, C]), to logits, float32 (B, T, K)."""
        mask = self.compute_token_mask(features)
        x = self.encode(features, mask=mask, training=training)
        return self.head(x, mask=mask, training=training)

    def encode(self, features: dict[str, Any], *, mask: Any, training: bool | None = None) -> Any:
        """Features and their mask, bool (B, T), to encoded tokens, float (B, T, E)."""
        x = self.embedder(features, mask=mask, training=training)
        return self.encoder(x, mask=mask, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The head's loss over real tokens, divided by their number, and the layers' own losses."""
        loss = self.head.loss(y, y_pred, sample_weight)
        for extra in self.losses:
            loss = loss + ops.cast(extra, loss.dtype)
        return loss

    def decode(self, features: dict[str, Any]) -> Any:
        """The best valid tags, int32 (B, T), 0 at padding. In graph mode, traced once per static shape."""
        if self._decode_function is None:
            self._decode_function = self._decode if self.run_eagerly else compiled_function(self._decode)
        return self._decode_function(features)

    def _decode(self, features: dict[str, Any]) -> Any:
        return self.head.decode(self(features, training=False), self.compute_token_mask(features))

    def make_train_function(self, force: bool = False) -> Any:
        """Keras's hook: on TensorFlow in graph mode, one trace of the step per static batch shape."""
        if not can_trace_statically(self):
            return super().make_train_function(force)
        if getattr(self, "train_function", None) is None or force:  # `compile` sets it back to None
            # Variables made inside the first trace would make TensorFlow trace that shape twice.
            self.optimizer.build(self.trainable_variables)
            self.train_function, self._traced_step = static_shape_train_function(self)
        return self.train_function

    @property
    def training_traces(self) -> int | None:
        """How often the training step was traced; None in eager mode and on other backends."""
        step = self._traced_step
        return None if step is None else int(step.experimental_get_tracing_count())

    def get_config(self) -> dict[str, Any]:
        """The three parts, serialised."""
        parts = {"embedder": self.embedder, "encoder": self.encoder, "head": self.head}
        return {
            "name": self.name,
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Tagger:
        """The tagger of `get_config`."""
        config = dict(config)
        for name in ("embedder", "encoder", "head"):
            config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
        return cls(**config)
