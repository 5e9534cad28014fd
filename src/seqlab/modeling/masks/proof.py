"""Check before training that a tagger uses its masks."""

from __future__ import annotations

import keras
import numpy as np

from seqlab.errors import SeqlabError
from seqlab.modeling.masks.walk import MaskReport, recording
from seqlab.modeling.precision import float32_copy
from seqlab.modeling.tagger import Tagger
from seqlab.modeling.training_state import changing

PARTS = ("embedder", "encoder", "head")
ZERO_AT_PADDING = ("head's tags", "head's probabilities")
TOLERANCE = 1e-4
Features = dict[str, np.ndarray]


def check_masks(tagger: Tagger, *, max_length: int, max_token_length: int) -> int:
    """Check that the mask reaches each part of a tagger and that padding changes no result.

    Random sentences of three lengths go through a float32 copy of the tagger on the CPU: in one batch, with
    more padding tokens and characters, and those of the middle length alone, without padding tokens. Each
    part's output, the tags, the probabilities and the loss must agree; so must the loss of rows alone and
    beside rows of weight 0. First, random noise is added to the copy's weights: initial biases are 0, so that
    padding is often 0 by accident, and a layer that reads padding would seem correct.

    Args:
        tagger: built; it need not be compiled. It is not changed.
        max_length: the most tokens that it takes, T.
        max_token_length: the most characters per token that it takes, C.

    Returns:
        The number of layers that receive a mask.

    Raises:
        SeqlabError: if the mask is lost, padding is marked as real, or padding changes a result. The error
            names the layer, the place between two layers, or the first part that padding affects.
    """
    with keras.device("cpu"):  # a GPU may round each shape differently (TF32)
        copy = _noisy_copy(tagger)
        batch = _random_sentences(copy.embedder, max_length, max_token_length)
        lengths = np.count_nonzero(batch["token_ids"], axis=1)
        middle = int(np.median(lengths))
        is_middle = lengths == middle
        every = np.full(len(lengths), True)
        with recording() as calls:
            expected, of_middle = _results(copy, batch, [every, is_middle])
        report = MaskReport(calls)
        report.require_mask_at(copy.encoder.name, copy.head.name)
        for fault in report.faults:
            raise SeqlabError(
                f"{fault.layer_type} {fault.remark}",
                where=fault.path,
                expected="an output mask that is False wherever the input masks are False",
                remedy="see 'The four kinds of layers' in docs/masks.md",
            )
        length, token_length = batch["char_ids"].shape[1:]
        padded = _padded(
            batch,
            tokens=min(length, max_length - length),
            characters=min(token_length, max_token_length - token_length),
        )
        alone = {
            name: ids[is_middle, : None if name == "piece_ids" else middle] for name, ids in batch.items()
        }
        _require_equal(copy, "with more padding", expected, *_results(copy, padded, [every]))
        _require_equal(copy, "without padding", of_middle, *_results(copy, alone, [every[is_middle]]))
    return sum(layer.received for layer in report.layers)


def _noisy_copy(tagger: Tagger) -> Tagger:
    copy = float32_copy(tagger)
    copy.run_eagerly = True
    random = np.random.default_rng(0)
    for variable in changing(copy.weights):
        if keras.backend.is_float_dtype(variable.dtype):
            value = keras.ops.convert_to_numpy(variable.value)
            scale = value.std() / 2 or 1.0  # 1.0 for biases, scales and CRF scores, which start as constants
            variable.assign(value + scale * random.standard_normal(value.shape, "float32"))
    return copy


def _random_sentences(embedder: keras.layers.Layer, max_length: int, max_token_length: int) -> Features:
    """Return right-padded sentences of three lengths, at most half as long as allowed."""
    length, token_length = (min(6, (limit + 1) // 2) for limit in (max_length, max_token_length))
    random = np.random.default_rng(0)
    real = np.arange(length) < np.repeat([length, (length + 1) // 2, 1], 8)[:, None]
    token_lengths = random.integers(1, token_length + 1, (*real.shape, 1))
    token_lengths[0, 0] = token_length
    real_characters = real[..., None] & (np.arange(token_length) < token_lengths)

    def ids(name: str, where: np.ndarray) -> np.ndarray:
        size = max(2, getattr(embedder, f"{name}_vocabulary_size", 2))
        return np.where(where, random.integers(1, size, where.shape), 0).astype("int32")

    return {
        "token_ids": ids("token", real),
        "shape_ids": ids("shape", real),
        "char_ids": ids("character", real_characters),
        **_random_pieces(embedder, real, random),
    }


def _random_pieces(embedder: keras.layers.Layer, real: np.ndarray, random: np.random.Generator) -> Features:
    """Return pieces for the tokens, one to three each, if the embedder has a pretrained encoder."""
    if getattr(embedder, "pretrained", None) is None:
        return {}
    counts = np.where(real, random.integers(1, 4, real.shape), 0)
    place = np.arange(counts.sum(axis=1).max() + 2)
    size = embedder.pretrained_encoder.vocabulary_size
    is_piece = place < counts.sum(axis=1, keepdims=True) + 2
    starts = np.where(real, 1 + np.cumsum(counts, axis=1) - counts, 0)
    ids = np.where(is_piece, random.integers(0, size, is_piece.shape), 0)
    pieces = {"piece_ids": ids, "piece_starts": starts, "piece_counts": counts}
    return {name: values.astype("int32") for name, values in pieces.items()}


def _padded(batch: Features, *, tokens: int = 0, characters: int = 0) -> Features:
    widths = ((0, 0), (0, tokens), (0, characters))
    return {name: np.pad(ids, widths[: ids.ndim]) for name, ids in batch.items()}


def _results(tagger: Tagger, features: Features, selections: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Run a tagger and return, for each selection of rows, what it computes for their real tokens.

    Args:
        tagger: runs eagerly.
        features: a batch of B rows.
        selections: each bool (B,).

    Returns:
        Arrays (N, ...) for the N real tokens of the rows, and their mean loss per token, (1,), for which the
        other rows have the weight 0.
    """
    real = features["token_ids"] > 0
    with recording() as calls:
        tags = tagger.decode(features)
    outputs = {call.layer: call.outputs[0] for call in reversed(calls)}
    logits = outputs[tagger]
    by_token = {f"{part}'s output": outputs[getattr(tagger, part)] for part in PARTS} | {
        "head's tags": tags,
        "head's probabilities": tagger.head.probabilities(logits, real),
    }
    arrays = {name: keras.ops.convert_to_numpy(tensor) for name, tensor in by_token.items()}
    for name in ZERO_AT_PADDING:
        if np.any(arrays[name][~real]):
            raise SeqlabError(
                f"the {name} are not 0 at padding",
                where=_describe(tagger, tagger.head),
                remedy="use the mask that `decode` and `probabilities` receive",
            )
    results = []
    for rows in selections:
        selected = real & rows[:, None]
        loss = tagger.compute_loss(y=tags, y_pred=logits, sample_weight=selected.astype("float32"))
        of_tokens = {name: values[selected] for name, values in arrays.items()}
        results.append(of_tokens | {"head's loss": np.array([float(loss)])})
    return results


def _require_equal(
    tagger: Tagger, change: str, expected: dict[str, np.ndarray], received: dict[str, np.ndarray]
) -> None:
    for result, values in expected.items():
        scale = np.maximum(np.abs(values).max(axis=0), 0.1)
        difference = float(np.max(np.abs(received[result] - values) / scale))
        if not difference <= TOLERANCE:
            part = result.split("'")[0]
            raise SeqlabError(
                f"padding changes the {result} for real tokens",
                where=_describe(tagger, getattr(tagger, part)),
                expected=f"the same values {change}",
                received=f"a relative difference of {difference:.3g}, above {TOLERANCE}",
                remedy=f"pass the mask to each layer of the {part} that reads several positions",
            )


def _describe(tagger: Tagger, part: keras.layers.Layer) -> str:
    return f"{tagger.name}/{part.name} ({type(part).__name__})"
