"""Tag text with the SavedModel of an export, in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqlab.errors import SeqlabError
from seqlab.modeling.device import quiet_tensorflow
from seqlab.serving.export_config import read_checked_config
from seqlab.serving.graph_operations import check_saved_model
from seqlab.serving.tagging.tagged_text import (
    TaggedText,
    find_offsets,
    join_tokens,
    make_tagged_texts,
    output_tag_scheme,
    split_at_blanks,
)

_BATCH_SIZE = 64
_BATCH_CHARACTERS = 1 << 16
"""Maximum number of characters in a batch of several texts, padding included."""


class SavedModelTagger:
    """The SavedModel of an export, which needs TensorFlow alone.

    Args:
        directory: the folder of the export.
        task: the expected task; None accepts any task.
        tag_scheme: the scheme of the tags that it returns; None is IOB2.

    Raises:
        SeqlabError: there is no export, it is damaged, its graph may do more than compute, or its task or
            version is another one.
    """

    def __init__(self, directory: Path, *, task: str | None = None, tag_scheme: str | None = None) -> None:
        self.config = read_checked_config(directory, task=task)
        self._tag_scheme = output_tag_scheme(self.config, tag_scheme)
        # The export runs on the CPU on every machine, and looking for a GPU takes time.
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        with quiet_tensorflow():
            import tensorflow as tf

            check_saved_model(directory)
            try:
                self._model = tf.saved_model.load(str(directory))  # holds the weights
                if list(self._model.signatures) == ["ids"]:
                    raise SeqlabError(
                        "this export takes the pieces of tokens, not text",
                        where=str(directory),
                        expected="an export with the tokenizer of its pretrained encoder",
                        received="the signature ids alone",
                        remedy="call it with pieces of KerasHub's tokenizer, or export a tagger whose "
                        "encoder has a tokenizer of the table in docs/serving.md",
                    )
                self._tag_text = self._model.signatures["text"]
                self._tag_ragged = self._model.signatures["ragged"]
            except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
                raise SeqlabError(
                    "the exported model cannot be loaded",
                    where=str(directory),
                    received=str(error).splitlines()[0][:300],
                    remedy="it is damaged, or needs another version of TensorFlow: export it again "
                    "(`dvc repro`)",
                ) from error

    def tag(self, texts: Sequence[str], *, tokenized: bool = False) -> list[TaggedText]:
        """Tag raw sentences of any length; if `tokenized`, tokens are separated by blanks alone."""
        return self._tag(texts, split_at_blanks(texts) if tokenized else None)

    def tag_sentences(self, sentences: Sequence[Sequence[str]]) -> list[TaggedText]:
        """Tag tokens; the text of the result is the tokens joined by blanks."""
        return self._tag(join_tokens(sentences), sentences)

    def _tag(self, texts: Sequence[str], rows: Sequence[Sequence[str]] | None) -> list[TaggedText]:
        tagged: list[TaggedText] = [TaggedText("", [], None)] * len(texts)
        for places in _batches(texts):
            batch = [texts[i] for i in places]
            results = self._tag_batch(batch, None if rows is None else [rows[i] for i in places])
            for i, result in zip(places, results, strict=True):
                tagged[i] = result
        return tagged

    def _tag_batch(self, texts: Sequence[str], rows: Sequence[Sequence[str]] | None) -> list[TaggedText]:
        """Tag texts, whose tokens are `rows`; None to tokenise them."""
        import tensorflow as tf

        if rows is None:
            outputs = self._tag_text(texts=tf.constant([text.encode() for text in texts], tf.string))
        else:
            tokens = tf.constant([token.encode() for row in rows for token in row], tf.string)
            outputs = self._tag_ragged(tokens=tokens, row_lengths=tf.constant([*map(len, rows)], tf.int64))
        arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
        mask = arrays["mask"]
        forms = [token.decode() for token in arrays["tokens"][mask]]
        if rows is None:
            starts, ends = (arrays[name][mask].tolist() for name in ("token_starts", "token_ends"))
        else:
            offsets = [find_offsets(text, row) for text, row in zip(texts, rows, strict=True)]
            starts, ends = ([place for pair in offsets for place in pair[i]] for i in (0, 1))
        tags = [self.config["tags"][i] for i in arrays["tag_ids"][mask]]
        columns = (forms, starts, ends, tags, arrays["probabilities"][mask].tolist())
        spans = None
        if self.config["tag_scheme"] is not None:
            names = ("span_types", "span_starts", "span_ends")
            spans = [
                [(kind.decode(), start, end) for kind, start, end in zip(*row, strict=True) if start >= 0]
                for row in zip(*(arrays[name].tolist() for name in names), strict=True)
            ]
        lengths = mask.sum(axis=1).tolist()
        return make_tagged_texts(texts, columns, lengths, spans, tag_scheme=self._tag_scheme)


def _batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield places of texts of similar length, which need little padding, at most 64 at a time."""
    batch: list[int] = []
    for i in sorted(range(len(texts)), key=lambda i: len(texts[i])):
        if batch and (len(batch) == _BATCH_SIZE or (len(batch) + 1) * len(texts[i]) > _BATCH_CHARACTERS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
