"""An exported tagger, loaded to tag text in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seqlab.errors import SeqlabError
from seqlab.serving.export_config import read_export_config


class TaggedToken(NamedTuple):
    """A token, its place in the text in characters, its tag, and the tag's probability."""

    text: str
    start: int
    end: int
    tag: str
    probability: float


class TaggedSpan(NamedTuple):
    """An entity: its type, its tokens from `start` up to but without `end`."""

    entity_type: str
    start: int
    end: int


@dataclass(frozen=True)
class TaggedText:
    """A line of text with its tokens, and its spans or None where tags spell none."""

    text: str
    tokens: list[TaggedToken]
    spans: list[TaggedSpan] | None


class ExportedTagger:
    """A SavedModel of `seqlab.serving.saved_model`, which TensorFlow alone can run.

    Args:
        directory: the export's folder.
        task: the task that is wanted; None takes any.

    Raises:
        SeqlabError: there is no export, or one of another task or version, or a damaged one.
    """

    def __init__(self, directory: Path, *, task: str | None = None) -> None:
        self.config = read_export_config(directory, task=task)
        with _without_start_up_messages():
            import tensorflow as tf

            try:
                self._model = tf.saved_model.load(str(directory))  # holds the weights
                self._signatures = {
                    name: self._model.signatures[name] for name in ("text", "serving_default")
                }
            except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
                raise SeqlabError(
                    "the exported model cannot be loaded",
                    where=str(directory),
                    received=str(error).splitlines()[0][:300],
                    remedy="it is damaged, or of another TensorFlow: export it again (`dvc repro`)",
                ) from error

    def tag(self, texts: Sequence[str], *, tokenized: bool = False) -> list[TaggedText]:
        """Tag a batch.

        Args:
            texts: raw sentences; a text without tokens gets none.
            tokenized: whether blanks, and nothing else, separate the tokens.
        """
        import tensorflow as tf

        batch = tf.constant([text.encode() for text in texts], tf.string)
        if tokenized:
            outputs = self._signatures["serving_default"](sentences=batch)
        else:
            outputs = self._signatures["text"](texts=batch)
        arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
        return [self._tagged(text, row, arrays) for row, text in enumerate(texts)]

    def _tagged(self, text: str, row: int, arrays: dict[str, Any]) -> TaggedText:
        count = int(arrays["mask"][row].sum())
        forms = [token.decode() for token in arrays["tokens"][row][:count]]
        tags = [tag.decode() for tag in arrays["tags"][row][:count]]
        if "token_starts" in arrays:
            starts, ends = (arrays[name][row][:count].tolist() for name in ("token_starts", "token_ends"))
            places = list(zip(starts, ends, strict=True))
        else:
            places = list(_places(text, forms))
        probabilities = arrays["probabilities"][row][:count].tolist()
        tokens = [
            TaggedToken(form, start, end, tag, probability)
            for form, (start, end), tag, probability in zip(forms, places, tags, probabilities, strict=True)
        ]
        spans = None
        if self.config["tag_scheme"] is not None:
            columns = (arrays[name][row].tolist() for name in ("span_types", "span_starts", "span_ends"))
            spans = [
                TaggedSpan(entity_type.decode(), start, end)
                for entity_type, start, end in zip(*columns, strict=True)
                if start >= 0
            ]
        return TaggedText(text, tokens, spans)


def _places(text: str, forms: list[str]) -> Iterator[tuple[int, int]]:
    """Where each of the tokens that blanks separate stands in the text."""
    end = 0
    for form in forms:
        start = text.index(form, end)
        end = start + len(form)
        yield start, end


@contextmanager
def _without_start_up_messages() -> Iterator[None]:
    """Keeps what TensorFlow's C++ says at its start off standard error; Python's errors still rise."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # What was exported for any machine runs on the CPU, and looking for a GPU takes time.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
