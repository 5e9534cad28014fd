"""The tagger: an embedder, an encoder and a head.

Importing this module registers every layer with Keras, which `keras.saving.load_model` requires.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

import seqlab.modeling.embedder  # noqa: F401 (registers its layers)
from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.encoders.no_encoder import NoEncoder
from seqlab.modeling.encoders.transformer import TransformerEncoder
from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.masks.masked_ops import Shape, Tensor
from seqlab.tags import PADDING_ID

ENCODERS = {"transformer": TransformerEncoder, "bilstm": BiLSTMEncoder, "none": NoEncoder}
HEADS = {"softmax": SoftmaxHead, "crf": CRFHead}
"""Encoders and heads by the value of `type` in params.yaml."""


def smallest_batch(*, max_token_length: int = 1) -> dict[str, np.ndarray]:
    """Return the features of one token of one piece, for building a tagger."""
    one = np.ones((1, 1), np.int32)
    return {
        "token_ids": one,
        "shape_ids": one,
        "char_ids": np.ones((1, 1, max_token_length), np.int32),
        "piece_ids": np.ones((1, 3), np.int32),
        "piece_starts": one,
        "piece_counts": one,
    }


@keras.saving.register_keras_serializable(package="seqlab")
class Tagger(keras.Model):
    """Tag scores for each token of right-padded sentences.

    The mask is computed once, from `token_ids != 0` (True = a real token), and passed to every part as an
    argument, so no layer in between can lose it.

    Args:
        embedder: layer; `embedder(features, mask=mask)` returns float (B, T, D).
        encoder: layer; `encoder(x, mask=mask)` returns float (B, T, E).
        head: layer, see `TaggingHead`; `head(x, mask=mask)` returns logits, float32 (B, T, K).

    Attributes:
        gradient_accumulation_steps: parts in which a training step on TensorFlow computes a batch; set it
            before the first step. See `accumulating_training_step`.
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
        self.gradient_accumulation_steps = 1
        self._training_step: Any = None
        self._backend_step: Any = None
        self._predict_logits: Any = None
        self._decode_logits: Any = None

    def build(self, input_shape: dict[str, Shape]) -> None:
        embedded = self.embedder.compute_output_shape(input_shape)
        encoded = self.encoder.compute_output_shape(embedded)
        for part, shape in ((self.embedder, input_shape), (self.encoder, embedded), (self.head, encoded)):
            if not part.built:  # parts that are loaded from a file are already built
                part.build(shape)

    def compute_token_mask(self, features: dict[str, Tensor]) -> Tensor:
        """Return the mask, bool (B, T), True = a real token."""
        return ops.not_equal(features["token_ids"], PADDING_ID)

    def call(self, features: dict[str, Tensor], training: bool | None = None) -> Tensor:
        mask = self.compute_token_mask(features)
        x = self.encode(features, mask=mask, training=training)
        return self.head(x, mask=mask, training=training)

    def encode(self, features: dict[str, Tensor], *, mask: Tensor, training: bool | None = None) -> Tensor:
        """Return the encoded tokens, float (B, T, E)."""
        x = self.embedder(features, mask=mask, training=training)
        return self.encoder(x, mask=mask, training=training)

    def halve_rows(self) -> None:
        """Let training compute the halves of a batch at the same time, in those layers that gain by it.

        Call this before the first step. Losses and gradients stay the same, apart from dropout and rounding.
        """
        layers: list[Any] = [self.encoder, getattr(self.embedder, "pretrained_encoder", None)]
        for layer in layers:
            if hasattr(layer, "halves_rows"):
                layer.halves_rows = True

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Return the head's mean loss per real token plus the layers' own losses."""
        mean = self.mean_loss(*self.loss_sums(y, y_pred, sample_weight))
        return sum((ops.cast(loss, "float32") for loss in self.losses), mean)

    def loss_sums(self, y: Any, y_pred: Any, sample_weight: Any) -> tuple[list[Tensor], list[Tensor]]:
        """Return, for each head, the summed loss and the weight to divide it by."""
        total, weight = self.head.loss_sum(y, y_pred, sample_weight)
        return [total], [weight]

    def loss_weights(self, y: Any, sample_weight: Any) -> list[Tensor]:
        """Return the weights that `loss_sums` returns, which do not depend on the logits."""
        return self.loss_sums(y, self._zero_logits(ops.shape(sample_weight)), sample_weight)[1]

    def _zero_logits(self, shape: Any) -> Any:
        """Return zeros in the place of what `call` returns in training, for rows of a shape (B, T)."""
        return ops.zeros((*shape, self.head.num_tags))

    def mean_loss(self, totals: list[Tensor], weights: list[Tensor]) -> Tensor:
        """Return the loss of a batch from the results of `loss_sums`.

        A replica's totals with the weights of the whole batch give the replica's part of the loss.
        """
        return ops.divide_no_nan(totals[0], weights[0])

    def decode(self, features: dict[str, Tensor]) -> Tensor:
        """Return the best allowed tags, int32 (B, T), 0 at padding."""
        return self.decode_logits(self.predict_logits(features), self.compute_token_mask(features))

    def predict_logits(self, features: dict[str, Tensor]) -> Tensor:
        """Return the logits, float32 (B, T, K), in graph mode, with one graph for all shapes."""
        if self._predict_logits is None:
            self._predict_logits = self._graph(lambda features: self(features, training=False))
        return self._predict_logits(features)

    def decode_logits(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Return the best allowed tags of logits, in graph mode, with one graph for all shapes.

        Args:
            logits: float32 (B, T, K).
            mask: bool (B, T), True = a real token.

        Returns:
            int32 (B, T), 0 at padding.
        """
        if self._decode_logits is None:
            self._decode_logits = self._graph(self.head.decode)
        return self._decode_logits(logits, mask)

    def make_train_function(self, force: bool = False) -> Callable[..., Any]:
        """Return the training step. On TensorFlow it is one graph, or one per batch shape under XLA.

        It replaces Keras's own step, which waits for the device, returns a running mean, and is traced up to
        three times. Under a tf.distribute strategy, Keras's step weighs every replica alike, whatever its
        number of tokens, and it fails on several machines.
        """
        if keras.backend.backend() != "tensorflow":
            return super().make_train_function(force)
        if getattr(self, "train_function", None) is None or force:  # `compile` resets it to None
            from seqlab.modeling.graph import (
                GraphFunction,
                accumulating_training_step,
                replicated_training_step,
                training_step,
            )

            # Variables created during the first trace would cause a second trace for the same shape.
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
            is_replicated = self.distribute_strategy.num_replicas_in_sync > 1
            parts = self.gradient_accumulation_steps
            if is_replicated:
                step = replicated_training_step(self)
            else:
                step = training_step(self) if parts == 1 else accumulating_training_step(self, parts=parts)
            self._training_step = None
            if not self.run_eagerly:
                step = self._training_step = GraphFunction(step, jit_compile=bool(self.jit_compile))
            self.train_function = lambda iterator: {"loss": step(*next(iterator))}
        return self.train_function

    def train_batch(self, features: dict[str, Tensor], labels: Any, sample_weight: Tensor) -> Tensor:
        """Take one training step and return its loss, a float32 scalar, without waiting for the device.

        With several replicas, `features` and `labels` are tuples with one entry for each replica of this
        process, and `sample_weight` belongs to all rows of the batch; see `replicated_training_step`.
        """
        if keras.backend.backend() == "tensorflow":
            return self.make_train_function()(iter([(features, labels, sample_weight)]))["loss"]
        if self._backend_step is None:
            from seqlab.modeling.steps import backend_step

            self._backend_step = backend_step(self)
        return self._backend_step(features, labels, sample_weight)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile as `keras.Model` does; the next step uses the new optimizer."""
        super().compile(*args, **kwargs)
        self._backend_step = None

    def replica_copies(self, variable: keras.Variable) -> list[tuple[int, Any]]:
        """Return the copies of a variable in this process, each with the number of its replica."""
        if keras.backend.backend() != "tensorflow" or self.distribute_strategy.num_replicas_in_sync == 1:
            return [(0, variable)]
        from seqlab.modeling.graph import first_replica

        copies = self.distribute_strategy.experimental_local_results(variable.value)
        return list(enumerate(copies, first_replica(self.distribute_strategy)))

    def _graph(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` as a TensorFlow graph; itself in eager mode and on other backends."""
        if keras.backend.backend() != "tensorflow" or self.run_eagerly:
            return function
        from seqlab.modeling.graph import GraphFunction

        return GraphFunction(function)

    @property
    def training_traces(self) -> int | None:
        """How often the training step was traced; None in eager mode and on other backends."""
        return None if self._training_step is None else self._training_step.traces

    def get_config(self) -> dict[str, Any]:
        parts = {"embedder": self.embedder, "encoder": self.encoder, "head": self.head}
        return {
            "name": self.name,
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Tagger:
        config = dict(config)
        for name in ("embedder", "encoder", "head"):
            config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
        return cls(**config)
