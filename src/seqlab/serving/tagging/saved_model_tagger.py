"""Tag text with an export, in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seqlab.errors import SeqlabError
from seqlab.modeling.device import quiet_tensorflow
from seqlab.serving.export_config import read_export_config


class TaggedToken(NamedTuple):
    """A token, its offsets in the text in characters (end exclusive), its tag, and the tag's probability."""

    text: str
    start: int
    end: int
    tag: str
    probability: float


class TaggedSpan(NamedTuple):
    """An entity: its type and its tokens, from `start` to `end` (exclusive)."""

    entity_type: str
    start: int
    end: int


@dataclass(frozen=True)
class TaggedText:
    """A text with its tokens and spans; `spans` is None if tags do not encode spans."""

    text: str
    tokens: list[TaggedToken]
    spans: list[TaggedSpan] | None


class ExportedTagger:
    """A loaded export, which needs TensorFlow alone.

    Args:
        directory: the folder of the export.
        task: the expected task; None accepts any task.

    Raises:
        SeqlabError: there is no export, it is damaged, or its task or version is another one.
    """

    def __init__(self, directory: Path, *, task: str | None = None) -> None:
        self.config = read_export_config(directory, task=task)
        # The export runs on the CPU on every machine, and looking for a GPU takes time.
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        with quiet_tensorflow():
            import tensorflow as tf

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
        """Tag a batch of raw sentences; if `tokenized`, tokens are separated by blanks alone."""
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
            starts, ends = _offsets(text, forms)
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


def _offsets(text: str, forms: list[str]) -> tuple[list[int], list[int]]:
    """Return the starts and ends of tokens in the text, whose tokens are separated by blanks."""
    starts: list[int] = []
    ends = [0]
    for form in forms:
        starts.append(text.index(form, ends[-1]))
        ends.append(starts[-1] + len(form))
    return starts, ends[1:]
