"""Tag text with the SavedModel of an export, in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.modeling.device import quiet_tensorflow
from seqlab.serving.export_config import read_checked_config
from seqlab.serving.graph_operations import check_saved_model
from seqlab.serving.tagging.tagged_text import TaggedSpan, TaggedText, TaggedToken, find_offsets

_BATCH_SIZE = 64
_BATCH_CHARACTERS = 1 << 16
"""Maximum number of characters in a batch of several texts, padding included."""


class SavedModelTagger:
    """The SavedModel of an export, which needs TensorFlow alone.

    Args:
        directory: the folder of the export.
        task: the expected task; None accepts any task.

    Raises:
        SeqlabError: there is no export, it is damaged, its graph may do more than compute, or its task or
            version is another one.
    """

    def __init__(self, directory: Path, *, task: str | None = None) -> None:
        self.config = read_checked_config(directory, task=task)
        # The export runs on the CPU on every machine, and looking for a GPU takes time.
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        with quiet_tensorflow():
            import tensorflow as tf

            check_saved_model(directory)
            try:
                self._model = tf.saved_model.load(str(directory))  # holds the weights
                self._tag_text = self._model.signatures["text"]
                self._tag_sentences = self._model.signatures["serving_default"]
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
        tagged: list[TaggedText] = [TaggedText("", [], None)] * len(texts)
        for places in _batches(texts):
            batch = [texts[i] for i in places]
            for i, result in zip(places, self._tag_batch(batch, tokenized=tokenized), strict=True):
                tagged[i] = result
        return tagged

    def _tag_batch(self, texts: Sequence[str], *, tokenized: bool) -> list[TaggedText]:
        import tensorflow as tf

        batch = tf.constant([text.encode() for text in texts], tf.string)
        outputs = self._tag_sentences(sentences=batch) if tokenized else self._tag_text(texts=batch)
        arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
        rows = ({name: array[i] for name, array in arrays.items()} for i in range(len(texts)))
        return [self._tagged(text, row) for text, row in zip(texts, rows, strict=True)]

    def _tagged(self, text: str, row: dict[str, Any]) -> TaggedText:
        mask = row["mask"]
        forms, tags = ([string.decode() for string in row[name][mask]] for name in ("tokens", "tags"))
        if "token_starts" in row:
            starts, ends = row["token_starts"][mask].tolist(), row["token_ends"][mask].tolist()
        else:
            starts, ends = find_offsets(text, forms)
        columns = (forms, starts, ends, tags, row["probabilities"][mask].tolist())
        tokens = [TaggedToken(*token) for token in zip(*columns, strict=True)]
        if self.config["tag_scheme"] is None:
            return TaggedText(text, tokens, None)
        spans = zip(*(row[name].tolist() for name in ("span_types", "span_starts", "span_ends")), strict=True)
        return TaggedText(
            text,
            tokens,
            [TaggedSpan(kind.decode(), first, stop) for kind, first, stop in spans if first >= 0],
        )


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
