"""Encoded splits on disk: flat files that are appended to when made and memory-mapped when read.

A split is a folder::

    type_ids.bin   int32, one per token: its place in the split's table of types, 0 is padding
    tag_ids.bin    int32, one per token; ids past the tag vocabulary are the split's own `extra_tags`
    offsets.bin    int64, where each sentence begins, and the end: sentences + 1 numbers
    types.json     the table of types: distinct surface forms, entry 0 is padding
    token_ids.npy, char_ids.npy, shape_ids.npy   the features of each type, (V,), (V, C), (V,) int32
    meta.json      sentences, tokens, extra_tags

Features are kept once per type and not per token, so that a batch looks them up and the files stay small.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqlab.batching.features import character_ids, normalize_token, token_shape
from seqlab.batching.vocabulary import UNKNOWN_ID, Vocabulary
from seqlab.corpus.sentence import Sentence

FEATURES = ("token_ids", "char_ids", "shape_ids")
_BUFFERED_TOKENS = 1 << 16


@dataclass(frozen=True)
class FeatureEncoder:
    """Vocabularies and settings that turn a surface form into features.

    Args:
        tokens: vocabulary of normalised tokens.
        characters: vocabulary of characters.
        shapes: vocabulary of word shapes.
        lowercase: whether token ids fold case.
        max_token_length: characters a token is shown with, C.
    """

    tokens: Vocabulary
    characters: Vocabulary
    shapes: Vocabulary
    lowercase: bool
    max_token_length: int

    def encode_types(self, types: Iterable[str]) -> dict[str, np.ndarray]:
        """Features of each type: `token_ids` (V,), `char_ids` (V, C), `shape_ids` (V,), all int32.

        Row 0 is padding and holds zeros.
        """
        token_ids, char_ids, shape_ids = [0], [[0] * self.max_token_length], [0]
        for form in types:
            token_ids.append(self.tokens.id(normalize_token(form, lowercase=self.lowercase)))
            char_ids.append(character_ids(form, self.characters, max_token_length=self.max_token_length))
            shape_ids.append(self.shapes.id(token_shape(form)))
        return {
            "token_ids": np.asarray(token_ids, np.int32),
            "char_ids": np.asarray(char_ids, np.int32),
            "shape_ids": np.asarray(shape_ids, np.int32),
        }

    def write(self, directory: Path) -> None:
        """Write the vocabularies and settings into `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.tokens.write(directory / "tokens.json")
        self.characters.write(directory / "characters.json")
        self.shapes.write(directory / "shapes.json")
        settings = {"lowercase": self.lowercase, "max_token_length": self.max_token_length}
        (directory / "encoder.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> FeatureEncoder:
        """Read what `write` wrote."""
        settings = json.loads((directory / "encoder.json").read_text(encoding="utf-8"))
        return cls(
            tokens=Vocabulary.read(directory / "tokens.json"),
            characters=Vocabulary.read(directory / "characters.json"),
            shapes=Vocabulary.read(directory / "shapes.json"),
            **settings,
        )


@dataclass(frozen=True)
class EncodedSplit:
    """One split, memory-mapped.

    Args:
        type_ids: int32 (tokens,).
        tag_ids: int32 (tokens,), ids of `tags`.
        offsets: int64 (sentences + 1,).
        types: surface forms by type id; entry 0 is padding.
        features: per type, as `FeatureEncoder.encode_types` gives them.
        tags: the tag vocabulary's entries, then the split's own tags that train never has.
        num_tags: size of the tag vocabulary, so ids from there on are unknown to the model.
    """

    type_ids: np.ndarray
    tag_ids: np.ndarray
    offsets: np.ndarray
    types: list[str]
    features: dict[str, np.ndarray]
    tags: list[str]
    num_tags: int

    @property
    def num_sentences(self) -> int:
        """Number of sentences."""
        return len(self.offsets) - 1

    @property
    def num_tokens(self) -> int:
        """Number of tokens."""
        return len(self.type_ids)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, int64 (sentences,)."""
        return np.diff(self.offsets)

    def sentences(self) -> Iterator[tuple[list[str], list[str]]]:
        """Tokens and gold tags of each sentence, in the corpus's order."""
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield (
                [self.types[i] for i in self.type_ids[start:stop]],
                [self.tags[i] for i in self.tag_ids[start:stop]],
            )


def write_encoded_split(
    directory: Path,
    sentences: Iterable[Sentence],
    *,
    encoder: FeatureEncoder,
    tags: Vocabulary,
    on_sentence: Callable[[int], None] | None = None,
) -> None:
    """Encode `sentences` into `directory`; memory holds the distinct types and one offset a sentence."""
    directory.mkdir(parents=True, exist_ok=True)
    types: dict[str, int] = {}
    extra: dict[str, int] = {}
    type_buffer, tag_buffer, offsets = array("i"), array("i"), array("q", [0])
    tokens = 0
    with (
        (directory / "type_ids.bin").open("wb") as type_file,
        (directory / "tag_ids.bin").open("wb") as tag_file,
    ):
        for number, sentence in enumerate(sentences, start=1):
            type_buffer.extend([types.setdefault(token, len(types) + 1) for token in sentence.tokens])
            for tag in sentence.tags:
                tag_id = tags.id(tag)
                if tag_id == UNKNOWN_ID:
                    tag_id = extra.setdefault(tag, len(tags) + len(extra))
                tag_buffer.append(tag_id)
            tokens += len(sentence.tokens)
            offsets.append(tokens)
            if len(type_buffer) >= _BUFFERED_TOKENS:
                type_buffer.tofile(type_file)
                tag_buffer.tofile(tag_file)
                type_buffer, tag_buffer = array("i"), array("i")
            if on_sentence:
                on_sentence(number)
        type_buffer.tofile(type_file)
        tag_buffer.tofile(tag_file)
    with (directory / "offsets.bin").open("wb") as offset_file:
        offsets.tofile(offset_file)
    for name, values in encoder.encode_types(types).items():
        np.save(directory / f"{name}.npy", values)
    (directory / "types.json").write_text(json.dumps(["", *types], ensure_ascii=False), encoding="utf-8")
    meta = {"sentences": len(offsets) - 1, "tokens": tokens, "extra_tags": list(extra)}
    (directory / "meta.json").write_text(
        json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def read_encoded_split(directory: Path, *, tags: Vocabulary) -> EncodedSplit:
    """Map the split in `directory` into memory; nothing is copied but its tables."""
    meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
    return EncodedSplit(
        type_ids=np.memmap(directory / "type_ids.bin", np.int32, mode="r"),
        tag_ids=np.memmap(directory / "tag_ids.bin", np.int32, mode="r"),
        offsets=np.memmap(directory / "offsets.bin", np.int64, mode="r"),
        types=json.loads((directory / "types.json").read_text(encoding="utf-8")),
        features={name: np.load(directory / f"{name}.npy") for name in FEATURES},
        tags=[*tags.entries, *meta["extra_tags"]],
        num_tags=len(tags),
    )
