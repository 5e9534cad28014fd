"""A tagger with everything around it, from strings to tags, as functions that a SavedModel can hold."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import PADDING_ID, UNKNOWN_ID, Vocabulary
from seqlab.serving.graph.feature_lookup import GraphFeatures
from seqlab.serving.graph.span_reader import SpanReader
from seqlab.serving.graph.tokenizer import GraphTokenizer
from seqlab.serving.graph.windowing import cut_windows_in_graph

Tensor = Any
Outputs = dict[str, Tensor]

_PADDING = {tf.string: "", tf.int32: -1, tf.float32: 0.0}


class GraphTagger(tf.Module):
    """The functions behind the SavedModel's signatures; `docs/serving.md` describes them.

    Outputs are right-padded to the longest sentence of the batch, T, so that they have the shapes which
    TensorFlow Serving's REST interface wants: `tokens`, `tags` string (B, T), "" at padding; `tag_ids` int32
    (B, T), 0 at padding; `probabilities` float32 (B, T), of the tag that was chosen; `mask` bool (B, T),
    True = a real token; and where tags are spans `span_types` string (B, S), `span_starts` and `span_ends`
    int32 (B, S) in tokens, end exclusive, "" and -1 at padding.

    Args:
        tagger: the trained tagger.
        encoder: the vocabularies it was trained with.
        tags: the tag vocabulary.
        spans: whether its tags spell spans.
        max_length: tokens from which on a sentence is cut into windows.
        overlap: tokens that neighbouring windows share.
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
    ) -> None:
        super().__init__(name="seqlab")
        # Only the weights are handed to TensorFlow: a Keras model's own attributes do not belong
        # in the export.
        self.weights = [weight.value for weight in tagger.weights]
        self.features = GraphFeatures(encoder)
        self.tokenizer = GraphTokenizer()
        self.span_reader = SpanReader(tags.entries) if spans else None
        self.tag_names = tf.constant(["", *tags.entries[UNKNOWN_ID:]])
        self.places = tf.constant([max_length, overlap], tf.int64)
        self._max_length, self._overlap = max_length, overlap

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([None, None, encoder.max_token_length], tf.int32),
                tf.TensorSpec([None, None], tf.int32),
            ]
        )
        def tag_rows(token_ids: Tensor, char_ids: Tensor, shape_ids: Tensor) -> tuple[Tensor, Tensor]:
            """Ids of right-padded rows to tag ids, int32 (R, T), and their probabilities, float32 (R, T)."""
            features = {"token_ids": token_ids, "char_ids": char_ids, "shape_ids": shape_ids}
            mask = tagger.compute_token_mask(features)
            logits = tagger(features, training=False)
            tag_ids = tagger.head.decode(logits, mask)
            probabilities = tagger.head.probabilities(logits, mask)
            return tag_ids, tf.gather(probabilities, tag_ids, batch_dims=2)

        self.tag_rows = tag_rows

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentences")])
    def tag_sentences(self, sentences: Tensor) -> Outputs:
        """Sentences whose tokens are joined by blanks, string (B,)."""
        tokens = tf.strings.split(sentences, " ")
        tokens = tf.ragged.boolean_mask(tokens, tokens.with_values(tokens.values != ""))
        return self._tag(tokens.values, tokens.row_lengths())

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, "tokens")])
    def tag_tokens(self, tokens: Tensor) -> Outputs:
        """Tokens, string (B, T), with "" as padding on the right."""
        is_real = tokens != ""
        lengths = tf.reduce_sum(tf.cast(is_real, tf.int64), axis=1)
        right_padded = tf.sequence_mask(lengths, tf.shape(tokens, tf.int64)[1]) == is_real
        message = 'an empty token: "" is padding, and only on the right of a row'
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(right_padded), [message])]):
            return self._tag(tf.boolean_mask(tokens, is_real), lengths)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "tokens"),
            tf.TensorSpec([None], tf.int64, "row_lengths"),
        ]
    )
    def tag_ragged(self, tokens: Tensor, row_lengths: Tensor) -> Outputs:
        """Tokens of all sentences, one after the other, string (N,), and sentence lengths, int64 (B,)."""
        total = tf.reduce_sum(row_lengths)
        message = "row_lengths must add up to the number of tokens"
        check = tf.debugging.Assert(total == tf.size(tokens, tf.int64), [message, total, tf.size(tokens)])
        with tf.control_dependencies([check]):
            return self._tag(tf.identity(tokens), row_lengths)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
    def tag_text(self, texts: Tensor) -> Outputs:
        """Raw sentences, string (B,), tokenised as `graph_tokenizer` says, with each token's place.

        `token_starts` and `token_ends`, int32 (B, T), count characters, `token_byte_starts` and
        `token_byte_ends` bytes of UTF-8; ends are exclusive, and -1 stands at padding.
        """
        found = self.tokenizer(texts)
        places = {
            "token_starts": found.starts,
            "token_ends": found.ends,
            "token_byte_starts": found.byte_starts,
            "token_byte_ends": found.byte_ends,
        }
        dense = {name: _dense(values, found.row_lengths) for name, values in places.items()}
        return {**self._tag(found.tokens, found.row_lengths), **dense}

    def tag_ids(self, token_ids: Tensor, char_ids: Tensor, shape_ids: Tensor) -> Outputs:
        """Ids as the batch contract has them, (B, T), (B, T, C), (B, T); rows are not cut into windows."""
        tag_ids, probabilities = self.tag_rows(token_ids, char_ids, shape_ids)
        return {"tag_ids": tag_ids, "probabilities": probabilities, "mask": token_ids != PADDING_ID}

    def _tag(self, tokens: Tensor, row_lengths: Tensor) -> Outputs:
        windows = cut_windows_in_graph(row_lengths, max_length=self._max_length, overlap=self._overlap)
        features = self.features(tokens)
        rows = {
            name: tf.gather(tf.pad(values, [[0, 1]] + [[0, 0]] * (len(values.shape) - 1)), windows.tokens)
            for name, values in features.items()
        }
        # A batch without any token is computed as one unknown token, which no output shows.
        rows["token_ids"] += UNKNOWN_ID * tf.cast(tf.size(tokens) == 0, tf.int32)
        tag_ids, probabilities = self.tag_rows(rows["token_ids"], rows["char_ids"], rows["shape_ids"])
        tag_ids = tf.boolean_mask(tag_ids, windows.keep)
        probabilities = tf.boolean_mask(probabilities, windows.keep)
        outputs = {
            "tokens": _dense(tokens, row_lengths),
            "tags": _dense(tf.gather(self.tag_names, tag_ids), row_lengths),
            "tag_ids": tf.maximum(_dense(tag_ids, row_lengths), PADDING_ID),
            "probabilities": _dense(probabilities, row_lengths),
            "mask": tf.sequence_mask(row_lengths, tf.reduce_max(tf.pad(row_lengths, [[0, 1]]))),
        }
        if self.span_reader is not None:
            spans = self.span_reader(tag_ids, row_lengths)
            outputs |= {"span_types": spans.types, "span_starts": spans.starts, "span_ends": spans.ends}
        return outputs


def _dense(values: Tensor, row_lengths: Tensor) -> Tensor:
    """Values of all sentences one after the other, (N,), as a right-padded matrix (B, T)."""
    rows = tf.RaggedTensor.from_row_lengths(values, row_lengths, validate=False)
    return rows.to_tensor(_PADDING[values.dtype])
