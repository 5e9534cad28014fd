"""A tagger with its preprocessing and decoding, from strings to tags, as functions for a SavedModel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from seqlab.batching.encoding import FEATURES, FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.serving.graph.feature_lookup import GraphFeatures
from seqlab.serving.graph.span_reader import SpanReader
from seqlab.serving.graph.tokenizer import GraphTokenizer
from seqlab.serving.graph.windowing import cut_piece_windows_in_graph, cut_windows_in_graph
from seqlab.serving.graph.word_pieces import GraphWordPieces
from seqlab.tags import PADDING_ID, UNKNOWN_ID

Tensor = Any
Outputs = dict[str, Tensor]

PIECES = "piece_ids"
"""The feature of the pieces of tokens: (V, N) for V types, (B, T, N) in a batch, -1 at padding."""

_PADDING = {tf.string: "", tf.int32: -1, tf.float32: 0.0}

_POSITIONS = 8192
"""Tokens and padding that the tagger computes at the same time, which bounds the memory of long texts."""


class GraphTagger(tf.Module):
    """The functions behind the signatures of a SavedModel; `docs/serving.md` describes them.

    Outputs are right-padded to T, the length of the longest sentence in the batch, because the REST interface
    of TensorFlow Serving needs dense tensors: `tokens` and `tags`, string (B, T), "" at padding; `tag_ids`,
    int32 (B, T), 0 at padding; `probabilities`, float32 (B, T), of the predicted tags; `mask`, bool (B, T),
    True = a real token. If tags encode spans, `tags` are in IOB2, whatever scheme the model learned, and
    there are also `span_types`, string (B, S), "" at padding, and `span_starts` and `span_ends`,
    int32 (B, S), in tokens, end exclusive, -1 at padding.

    Sentences longer than `max_length` are cut into windows, as in evaluation. The logits that the windows
    keep are joined, and every sentence is decoded once, as a whole. The tagger computes a bounded number of
    windows at a time, and what depends on a token alone once per distinct token in them. If the tagger has a
    pretrained encoder, a window has at most as many pieces as this takes.

    Args:
        tagger: the trained tagger.
        encoder: the vocabularies that it was trained with.
        tags: the tag vocabulary.
        spans: whether the tags encode spans.
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share.
        pieces: the rules of the pretrained encoder's tokenizer, if the tagger has one; see `piece_rules`.
    """

    def __init__(
        self,
        tagger: Any,
        *,
        encoder: FeatureEncoder,
        tags: Vocabulary,
        spans: bool,
        max_length: int,
        overlap: int,
        pieces: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name="seqlab")
        # TensorFlow tracks the weights alone: the other attributes of a Keras model are not for export.
        self.weights = [weight.value for weight in tagger.weights]
        self.features = GraphFeatures(encoder)
        self._special, self.word_pieces = encoder.pieces, None
        if pieces and encoder.pieces:
            self.word_pieces = GraphWordPieces(pieces, max_pieces=encoder.pieces.max_pieces)
        self.tokenizer = GraphTokenizer()
        self.span_reader = SpanReader(tags.entries) if spans else None
        self.tag_names = tf.constant(["", *tags.entries[UNKNOWN_ID:]])
        self._max_length, self._overlap, self._num_tags = max_length, overlap, len(tags)
        ids = tf.TensorSpec([None], tf.int32)
        characters = tf.TensorSpec([None, encoder.max_token_length], tf.int32)
        features = dict(zip(FEATURES, (ids, characters, ids), strict=True))
        if encoder.pieces:
            features[PIECES] = tf.TensorSpec([None, None], tf.int32)

        @tf.function(input_signature=[features, tf.TensorSpec([None, None], tf.int64)], autograph=False)
        def predict_logits(features: dict[str, Tensor], types: Tensor) -> Tensor:
            """Return logits (R, W, K) for the features of V types, and types (R, W); V at padding."""
            features = dict(features)
            piece_ids = features.pop(PIECES, None)
            padding = tf.size(features["token_ids"], tf.int64)
            mask = types < padding
            present, places = tf.unique(tf.reshape(types, [-1]))
            rows = {
                name: tf.gather(tf.pad(ids, [[0, 1]] + [[0, 0]] * (len(ids.shape) - 1)), present)[None]
                for name, ids in features.items()
            }
            places = tf.reshape(places, tf.shape(types))
            if piece_ids is None:
                vectors = tagger.embedder(rows, mask=(present < padding)[None])
                x = tf.gather(vectors[0], places)
            else:
                parts = [tf.gather(part[0], places) for part in tagger.embedder.embed_types(rows)]
                of_window = tf.gather(tf.pad(piece_ids, [[0, 1], [0, 0]], constant_values=-1), types)
                row = self._piece_row(of_window)
                parts.append(tagger.embedder.pretrained_encoder(row, training=False))
                x = tf.where(mask[..., None], tf.concat(parts, axis=-1), 0.0)
            return tagger.head(tagger.encoder(x, mask=mask, training=False), mask=mask, training=False)

        logits = tf.TensorSpec([None, None, len(tags)], tf.float32)

        @tf.function(input_signature=[logits, tf.TensorSpec([None, None], tf.bool)], autograph=False)
        def decode(logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            tag_ids = tagger.head.decode(logits, mask)
            return tag_ids, tf.gather(tagger.head.probabilities(logits, mask), tag_ids, batch_dims=2)

        self._predict_logits, self._decode = predict_logits, decode

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentences")], autograph=False)
    def tag_sentences(self, sentences: Tensor) -> Outputs:
        """Tag sentences, string (B,), whose tokens are separated by blanks."""
        tokens = tf.strings.split(sentences, " ")
        tokens = tf.ragged.boolean_mask(tokens, tokens.with_values(tokens.values != ""))
        return self._tag(tokens.values, tokens.row_lengths())

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, "tokens")], autograph=False)
    def tag_tokens(self, tokens: Tensor) -> Outputs:
        """Tag tokens, string (B, T), right-padded with ""."""
        is_real = tokens != ""
        lengths = _row_lengths(is_real, 'an empty token: "" is padding, and only on the right of a row')
        return self._tag(tf.boolean_mask(tokens, is_real), lengths)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "tokens"),
            tf.TensorSpec([None], tf.int64, "row_lengths"),
        ],
        autograph=False,
    )
    def tag_ragged(self, tokens: Tensor, row_lengths: Tensor) -> Outputs:
        """Tag the concatenated tokens of all sentences, string (N,); sentence lengths are int64 (B,)."""
        total = tf.reduce_sum(row_lengths)
        message = "row_lengths must add up to the number of tokens"
        check = tf.debugging.Assert(total == tf.size(tokens, tf.int64), [message, total, tf.size(tokens)])
        with tf.control_dependencies([check]):
            return self._tag(tf.identity(tokens), row_lengths)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")], autograph=False)
    def tag_text(self, texts: Tensor) -> Outputs:
        """Tokenise and tag raw sentences, string (B,).

        `token_starts` and `token_ends`, int32 (B, T), count characters of the text, `token_byte_starts` and
        `token_byte_ends` bytes of UTF-8; ends are exclusive; -1 at padding.
        """
        tokens, row_lengths, offsets = self.tokenizer(texts)
        dense = {name: _dense(values, row_lengths) for name, values in offsets.items()}
        return {**self._tag(tokens, row_lengths), **dense}

    def tag_ids(
        self, token_ids: Tensor, char_ids: Tensor, shape_ids: Tensor, piece_ids: Tensor | None = None
    ) -> Outputs:
        """Tag right-padded ids of sentences, int32 (B, T), (B, T, C) and (B, T).

        If the tagger has a pretrained encoder, `piece_ids`, int32 (B, T, N), contains the pieces of each
        token without special ones, right-padded with -1.
        """
        mask = token_ids != PADDING_ID
        row_lengths = _row_lengths(mask, "a token id of 0: 0 is padding, and only on the right of a row")
        ids = zip(FEATURES, (token_ids, char_ids, shape_ids), strict=True)
        features = {name: tf.boolean_mask(values, mask) for name, values in ids}
        if piece_ids is not None and self._special is not None:
            features[PIECES] = _one_at_least(tf.boolean_mask(piece_ids, mask), self._special.unknown)
        every_token = tf.range(tf.reduce_sum(row_lengths))
        tag_ids, probabilities = self._tag_types(features, every_token, row_lengths)
        places, shape = tf.where(mask), tf.shape(mask, tf.int64)
        return {
            "tag_ids": tf.scatter_nd(places, tag_ids, shape),
            "probabilities": tf.scatter_nd(places, probabilities, shape),
            "mask": mask,
        }

    # One function of the SavedModel, which all signatures that take strings call.
    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64)], autograph=False
    )
    def _tag(self, tokens: Tensor, row_lengths: Tensor) -> Outputs:
        types, places = tf.unique(tokens, tf.int64)
        features = self.features(types)
        if self.word_pieces is not None:
            features[PIECES] = self.word_pieces(types).to_tensor(-1)
        tag_ids, probabilities = self._tag_types(features, places, row_lengths)
        spans: Outputs = {}
        if self.span_reader is None:
            tags = tf.gather(self.tag_names, tag_ids)
        else:
            tags, spans = self.span_reader(tag_ids, row_lengths)
        return {
            "tokens": _dense(tokens, row_lengths),
            "tags": _dense(tags, row_lengths),
            "tag_ids": tf.maximum(_dense(tag_ids, row_lengths), PADDING_ID),
            "probabilities": _dense(probabilities, row_lengths),
            "mask": tf.sequence_mask(row_lengths, tf.reduce_max(tf.pad(row_lengths, [[0, 1]]))),
            **spans,
        }

    def _tag_types(
        self, features: dict[str, Tensor], types: Tensor, row_lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return tag ids, int32 (N,), and their probabilities, float32 (N,).

        Args:
            features: the features of V distinct tokens (types), int32 (V,), (V, C) or (V, N).
            types: the type of each token, int64 (N,).
            row_lengths: tokens of each sentence, int64 (B,).
        """
        window = {"max_length": self._max_length, "overlap": self._overlap}
        if self._special is None:
            windows = cut_windows_in_graph(row_lengths, **window)
        else:
            counts = tf.math.count_nonzero(features[PIECES] >= 0, axis=1)
            windows = cut_piece_windows_in_graph(
                row_lengths, tf.gather(counts, types), max_pieces=self._special.max_pieces, **window
            )
        padding = tf.size(features["token_ids"], tf.int64)
        types = tf.gather(tf.concat([types, [padding]], axis=0), windows.tokens)
        num_windows, width = tf.unstack(tf.shape(types))
        together = tf.maximum(_POSITIONS // width, 1)
        parts = tf.TensorArray(
            tf.float32,
            size=-(-num_windows // together),
            element_shape=[None, self._num_tags],
            infer_shape=False,
        )

        def predict_part(part: Tensor, parts: tf.TensorArray) -> tuple[Tensor, tf.TensorArray]:
            logits = self._predict_logits(features, types[part * together : (part + 1) * together])
            return part + 1, parts.write(part, tf.reshape(logits, [-1, self._num_tags]))

        _, parts = tf.while_loop(
            lambda part, _: part * together < num_windows, predict_part, (0, parts), parallel_iterations=1
        )
        return self._decode_sentences(tf.gather(parts.concat(), windows.kept_places), row_lengths)

    def _piece_row(self, piece_ids: Tensor) -> dict[str, Tensor]:
        """Return the features of `PretrainedEmbedding`: pieces of R windows, (R, W, N), -1 at padding."""
        assert self._special is not None
        counts = tf.reduce_sum(tf.cast(piece_ids >= 0, tf.int32), axis=2)
        starts = tf.where(counts > 0, 1 + tf.cumsum(counts, axis=1, exclusive=True), 0)
        flat = tf.reshape(piece_ids, [tf.shape(piece_ids)[0], -1])
        flat = tf.pad(flat, [[0, 0], [1, 0]], constant_values=self._special.start)
        flat = tf.pad(flat, [[0, 0], [0, 1]], constant_values=self._special.end)
        row = tf.ragged.boolean_mask(flat, flat >= 0).to_tensor(0)
        return {PIECES: row, "piece_starts": starts, "piece_counts": counts}

    def _decode_sentences(self, logits: Tensor, row_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Decode each sentence as a whole: logits (N, K) to tag ids (N,) and their probabilities (N,).

        Sentences of up to `max_length` tokens are one batch, sentences of up to 2 `max_length` the next, then
        4 `max_length`, and so on. Padding therefore at most doubles the memory of long sentences.
        """
        doublings = tf.math.log(tf.cast(row_lengths, tf.float32) / self._max_length) / math.log(2)
        group_of_row = tf.cast(tf.math.ceil(tf.maximum(doublings, 0.0)), tf.int32)
        group_of_token = tf.repeat(group_of_row, row_lengths)

        def decode_group(decoded: tuple[Tensor, Tensor], group: Tensor) -> tuple[Tensor, ...]:
            in_group = group_of_token == group
            lengths = tf.boolean_mask(row_lengths, group_of_row == group)
            rows = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(logits, in_group), lengths)
            mask, places = tf.sequence_mask(lengths), tf.where(in_group)
            return tuple(
                tf.tensor_scatter_nd_update(values, places, tf.boolean_mask(of_group, mask))
                for values, of_group in zip(decoded, self._decode(rows.to_tensor(), mask), strict=True)
            )

        nothing = tf.zeros_like(group_of_token), tf.zeros_like(group_of_token, tf.float32)
        tag_ids, probabilities = tf.foldl(decode_group, tf.unique(group_of_token)[0], initializer=nothing)
        return tag_ids, probabilities


def _one_at_least(piece_ids: Tensor, unknown: int) -> Tensor:
    """Return a piece matrix, (N, P), whose rows without a piece have the unknown one."""
    piece_ids = tf.pad(
        piece_ids, [[0, 0], [0, tf.cast(tf.shape(piece_ids)[1] == 0, tf.int32)]], constant_values=-1
    )
    is_first = tf.range(tf.shape(piece_ids)[1])[None] == 0
    has_none = tf.reduce_all(piece_ids < 0, axis=1, keepdims=True)
    return tf.where(has_none & is_first, unknown, piece_ids)


def _row_lengths(is_real: Tensor, message: str) -> Tensor:
    """Return the lengths of right-padded rows, int64 (B,); fail with `message` at other padding."""
    lengths = tf.reduce_sum(tf.cast(is_real, tf.int64), axis=1)
    is_right_padded = tf.reduce_all(tf.sequence_mask(lengths, tf.shape(is_real, tf.int64)[1]) == is_real)
    with tf.control_dependencies([tf.debugging.Assert(is_right_padded, [message])]):
        return tf.identity(lengths)


def _dense(values: Tensor, row_lengths: Tensor) -> Tensor:
    """Return the concatenated values of all sentences, (N,), as a right-padded matrix (B, T)."""
    rows = tf.RaggedTensor.from_row_lengths(values, row_lengths, validate=False)
    return rows.to_tensor(_PADDING[values.dtype])
