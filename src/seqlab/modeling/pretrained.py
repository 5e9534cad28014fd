"""Token vectors from a pretrained encoder of KerasHub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.extras import import_keras_hub
from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_finite_padding
from seqlab.modeling.row_halves import on_row_halves

_IGNORED_SETTINGS = ("name", "trainable", "dtype")
_INPUTS = {"token_ids", "padding_mask", "segment_ids"}


@keras.saving.register_keras_serializable(package="seqlab")
class PretrainedEmbedding(ConfiguredLayer):
    """Contextual token vectors from the pieces of a row, by a backbone of KerasHub.

    Shapes: `piece_ids` int (B, P), `piece_starts` and `piece_counts` int (B, T) -> float (B, T, D). A row of
    `piece_ids` holds a start piece, the pieces of the row's tokens, and an end piece. The other two are the
    place of each token's first piece in it, and the number of its pieces, both 0 at padding.

    Mask: computed here, bool (B, T), `piece_counts != 0`, True = a real token; padding gets zeros. The mask
    of the backbone, True = a real piece, is computed from `piece_starts` and `piece_counts`, so that padding
    may have any id.

    Formula, per token with the pieces s to s + n - 1 and their vectors h: `h_s` (first), or their mean. With
    `layers="mix"`, `h = g sum_l softmax(w)_l h_l` over the backbone's blocks (Peters et al. 2018, arXiv
    1802.05365), with learned g and w.

    Args:
        architecture: name of the backbone's class in `keras_hub.models`.
        settings: its constructor's arguments.
        pooling: `first` or `mean`.
        layers: `last`, or `mix` for the learned mean of all blocks.
        trained: `full`, `frozen`, `lora`, or the number of uppermost blocks that are trained. `lora` adds a
            product of two small matrices to the kernels of queries and values (Hu et al. 2022, arXiv
            2106.09685), and trains these and the biases there alone.
        lora_rank: the inner dimension of these products.
        gradient_checkpointing: whether the backward pass computes the inside of each block again, instead of
            keeping it. The backbone then has no dropout: what is computed again would drop other entries.

    Attributes:
        halves_rows: whether training computes the two halves of a batch at the same time.
    """

    halves_rows = False

    def __init__(
        self,
        *,
        architecture: str,
        settings: dict[str, Any],
        pooling: str = "first",
        layers: str = "last",
        trained: str | int = "full",
        lora_rank: int = 8,
        gradient_checkpointing: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.architecture = architecture
        self.settings = dict(settings)
        self.pooling = pooling
        self.layers = layers
        self.trained = trained
        self.lora_rank = lora_rank
        self.gradient_checkpointing = gradient_checkpointing
        backbone = self._make_backbone()
        self.block_names = [block.name for block in _blocks(backbone)]
        self.backbone = self._piece_model(backbone)
        self.vocabulary_size = settings.get("vocabulary_size") or settings.get("vocab_size")
        self.output_dim = int(self.backbone.outputs[0].shape[-1])
        self._set_trained()

    def _make_backbone(self) -> keras.Model:
        settings = self.settings | ({"dropout": 0.0} if self.gradient_checkpointing else {})
        backbone = _backbone_class(self.architecture)(**settings, dtype=self.dtype_policy, name="backbone")
        if self.gradient_checkpointing:
            for block in _blocks(backbone):
                block.call = _recomputed(block.call)
        return backbone

    def _piece_model(self, backbone: keras.Model) -> keras.Model:
        """Return the part of a backbone that computes the vectors of pieces, with its weights."""
        if self.trained == "lora":
            backbone.enable_lora(self.lora_rank)
        last = _sequence_output(backbone)
        outputs: list[Tensor] = (
            [block.output for block in _blocks(backbone)[:-1]] if self.layers == "mix" else []
        )
        return keras.Model(backbone.input, [*outputs, last], name="backbone")

    def _set_trained(self) -> None:
        if self.trained in ("full", "lora"):
            return
        top: list[str] = self.block_names[-self.trained :] if isinstance(self.trained, int) else []
        for layer in self.backbone.layers:
            layer.trainable = layer.name in top

    def build(self, input_shape: Any) -> None:
        if self.layers == "mix":
            count = len(self.backbone.outputs)
            self.mix_scores = self.add_weight(shape=(count,), initializer="zeros", name="mix_scores")
            self.mix_scale = self.add_weight(shape=(), initializer="ones", name="mix_scale")
        self.built = True

    def load_backbone(self, backbone: keras.Model) -> None:
        """Take the weights of a backbone of the same architecture and settings."""
        self.backbone.set_weights(self._piece_model(backbone).get_weights())

    def merged_weights(self) -> dict[str, np.ndarray | None]:
        """Return the kernels with what LoRA adds to them, by the path of the variable.

        The matrices of LoRA themselves are None: a layer with `trained="frozen"` does not have them.
        """
        merged: dict[str, np.ndarray | None] = {}
        for layer in self.backbone._flatten_layers():
            if getattr(layer, "lora_enabled", False):
                merged[layer._kernel.path] = ops.convert_to_numpy(layer.kernel)
                merged |= dict.fromkeys((layer.lora_kernel_a.path, layer.lora_kernel_b.path))
        return merged

    def call(self, features: dict[str, Tensor], mask: Any = None, training: bool = False) -> Tensor:
        inputs = {name: features[name] for name in ("piece_ids", "piece_starts", "piece_counts")}
        if training and self.halves_rows:
            return on_row_halves(lambda rows: self._token_vectors(rows, training=True), inputs)
        return self._token_vectors(inputs, training=training)

    def _token_vectors(self, features: dict[str, Tensor], *, training: bool) -> Tensor:
        starts, counts = features["piece_starts"], features["piece_counts"]
        vectors = self._mixed(self._encoded(features["piece_ids"], starts + counts, training))
        pooled = self._first(vectors, starts) if self.pooling == "first" else _mean(vectors, starts, counts)
        return zero_finite_padding(pooled, self.compute_mask(features))

    def compute_mask(self, features: dict[str, Tensor], previous_mask: Any = None) -> Tensor:
        return ops.not_equal(features["piece_counts"], 0)

    def _encoded(self, piece_ids: Tensor, ends: Tensor, training: bool) -> list[Tensor]:
        """Return the outputs of the backbone's blocks, float (B, P, D) each."""
        real_pieces = ops.max(ends, axis=1, keepdims=True) + 1  # the end piece follows the last token's
        piece_mask = ops.arange(ops.shape(piece_ids)[1])[None] < real_pieces
        inputs = {
            "token_ids": piece_ids,
            "padding_mask": ops.cast(piece_mask, "int32"),
            "segment_ids": ops.zeros_like(piece_ids),
        }
        outputs = self.backbone({name: inputs[name] for name in self.backbone.input}, training=training)
        return outputs if isinstance(outputs, list) else [outputs]

    def _mixed(self, blocks: list[Tensor]) -> Tensor:
        if self.layers == "last":
            return blocks[-1]
        shares = ops.cast(ops.softmax(self.mix_scores) * self.mix_scale, self.compute_dtype)
        return sum(shares[i] * block for i, block in enumerate(blocks))

    def _first(self, vectors: Tensor, starts: Tensor) -> Tensor:
        shape = ops.shape(vectors)
        rows = ops.arange(shape[0], dtype=starts.dtype)[:, None] * ops.cast(shape[1], starts.dtype)
        return ops.take(ops.reshape(vectors, (-1, self.output_dim)), rows + starts, axis=0)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return (*input_shape["piece_starts"], self.output_dim)

    def depths(self) -> Iterator[tuple[keras.Variable, int]]:
        """Yield each variable of the backbone with its depth below the output.

        The uppermost block has depth 0; what is above the blocks, too; embeddings have the number of blocks.
        """
        above = False
        for layer in self.backbone.layers:
            is_block = layer.name in self.block_names
            above = above or is_block
            lowest = len(self.block_names)
            depth = lowest - 1 - self.block_names.index(layer.name) if is_block else 0 if above else lowest
            for variable in layer.variables:
                yield variable, depth


def _recomputed(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function whose backward pass calls `call` again, instead of keeping what is inside.

    `keras.RematScope` fails in TensorFlow's graph mode: its layers get keyword arguments.
    """

    def call_again(inputs: Tensor, **options: Any) -> Tensor:
        return keras.remat(lambda x: call(x, **options))(inputs)

    return call_again


def _mean(vectors: Tensor, starts: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of each token's pieces, float (B, T, D)."""
    place = ops.arange(ops.shape(vectors)[1])[None, None]
    first, count = starts[..., None], counts[..., None]
    inside = ops.logical_and(place >= first, place < first + count)
    shares = ops.cast(inside, vectors.dtype) / ops.cast(ops.maximum(count, 1), vectors.dtype)
    return ops.matmul(shares, vectors)


def backbone_settings(backbone: keras.Model) -> dict[str, Any]:
    """Return the arguments from which `PretrainedEmbedding` makes a backbone of the same shape."""
    settings = {k: v for k, v in backbone.get_config().items() if k not in _IGNORED_SETTINGS}
    return {"architecture": type(backbone).__name__, "settings": settings}


def check_backbone(backbone: keras.Model, *, needs_blocks: bool) -> None:
    """Check that a backbone gives a vector per piece, and that padding can be hidden from it.

    Args:
        backbone: of KerasHub.
        needs_blocks: whether its blocks are mixed, or trained from the uppermost down.

    Raises:
        SeqlabError: it takes other inputs, has no mask, no output per piece, no maximum length, or no blocks.
    """
    inputs = set(backbone.input) if isinstance(backbone.input, dict) else set()
    reason = ""
    if not {"token_ids", "padding_mask"} <= inputs:
        reason = f"it has no mask of padding: its inputs are {', '.join(sorted(inputs)) or 'unnamed'}"
    elif inputs - _INPUTS:
        reason = f"it also reads {', '.join(sorted(inputs - _INPUTS))}"
    elif _sequence_output(backbone) is None:
        reason = "it has no output per piece"
    elif not getattr(backbone, "max_sequence_length", None):
        reason = "it has no maximum length"
    elif needs_blocks and not _blocks(backbone):
        reason = "its blocks cannot be told apart, as layers: mix and a number in trained need"
    if reason:
        raise SeqlabError(
            f"{type(backbone).__name__} cannot serve as a pretrained encoder: {reason}",
            where="embedder.pretrained.source",
            expected="a text encoder of KerasHub with a vector for each piece, such as BERT or XLM-RoBERTa",
            remedy="name another encoder",
        )


def _sequence_output(backbone: keras.Model) -> Any:
    output = backbone.output
    output = output.get("sequence_output") if isinstance(output, dict) else output
    return output if len(getattr(output, "shape", ())) == 3 else None


def _blocks(backbone: keras.Model) -> list[keras.layers.Layer]:
    """Return the Transformer blocks, from the lowest to the uppermost."""
    return list(getattr(backbone, "transformer_layers", []))


def _backbone_class(name: str) -> Any:
    keras_hub = import_keras_hub()
    found = getattr(keras_hub.models, name, None)
    if not (isinstance(found, type) and issubclass(found, keras_hub.models.Backbone)):
        raise SeqlabError(
            "unknown architecture of a pretrained encoder",
            where="embedder.pretrained",
            expected="a backbone of the installed keras-hub",
            received=repr(name),
            remedy="install the version of keras-hub with which the tagger was trained",
        )
    return found
