"""Encoded splits on disk: flat files, written sequentially and memory-mapped when read.

A split is a folder::

    type_ids.bin   int32, one per token: its row in the table of types, 0 is padding
    tag_ids.bin    int32, one per token; ids beyond the tag vocabulary refer to `extra_tags`
    offsets.bin    int64 (sentences + 1,), where each sentence starts, and the end
    places.bin     int32 (sentences, 2): the file, as a row of `files`, and the line of each sentence
    types.json     the table of types: the distinct surface forms, row 0 is padding
    token_ids.npy, char_ids.npy, shape_ids.npy   the features of each type, (V,), (V, C), (V,) int32
    pieces.json, piece_ids.npy, piece_offsets.npy   the pieces of each type, if there is a pretrained encoder
    meta.json      sentences, tokens, extra_tags, files

Features are stored once per type, not per token: the files stay small, and a batch looks the features up.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqlab.batching.features import character_ids, normalize_token, token_shape
from seqlab.batching.pieces import SpecialPieces, TypePieces, encode_pieces
from seqlab.batching.vocabulary import Vocabulary
from seqlab.corpus.sentence import Sentence
from seqlab.tags import UNKNOWN_ID

FEATURES = ("token_ids", "char_ids", "shape_ids")
_BUFFERED_TOKENS = 1 << 16


@dataclass(frozen=True)
class FeatureEncoder:
    """The vocabularies and settings that turn surface forms into features.

    Args:
        tokens: vocabulary of normalised tokens.
        characters: vocabulary of characters.
        shapes: vocabulary of word shapes.
        lowercase: whether token ids fold case.
        max_token_length: C, the characters of a token that are encoded.
        pieces: the special pieces of the pretrained encoder, if there is one.
    """

    tokens: Vocabulary
    characters: Vocabulary
    shapes: Vocabulary
    lowercase: bool
    max_token_length: int
    pieces: SpecialPieces | None = None

    def encode_types(self, types: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the features of V types: `token_ids` (V,), `char_ids` (V, C), `shape_ids` (V,), int32.

        Row 0 is padding, all zeros.
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
        """Write the vocabularies and settings into a folder."""
        directory.mkdir(parents=True, exist_ok=True)
        self.tokens.write(directory / "tokens.json")
        self.characters.write(directory / "characters.json")
        self.shapes.write(directory / "shapes.json")
        settings = {"lowercase": self.lowercase, "max_token_length": self.max_token_length}
        (directory / "encoder.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        if self.pieces:
            self.pieces.write(directory / "pieces.json")

    @classmethod
    def read(cls, directory: Path) -> FeatureEncoder:
        """Read a folder that `write` wrote."""
        settings = json.loads((directory / "encoder.json").read_text(encoding="utf-8"))
        return cls(
            tokens=Vocabulary.read(directory / "tokens.json"),
            characters=Vocabulary.read(directory / "characters.json"),
            shapes=Vocabulary.read(directory / "shapes.json"),
            pieces=SpecialPieces.read(directory / "pieces.json"),
            **settings,
        )


@dataclass(frozen=True)
class EncodedSplit:
    """A memory-mapped split.

    Args:
        type_ids: int32 (tokens,).
        tag_ids: int32 (tokens,), ids of `tags`.
        offsets: int64 (sentences + 1,).
        types: surface forms by type id; entry 0 is padding.
        features: per type, as `FeatureEncoder.encode_types` gives them.
        tags: the tag vocabulary's entries, followed by tags of the split that train does not have.
        num_tags: size of the tag vocabulary; the model does not know tag ids from there on.
        places: int32 (sentences, 2), each sentence's file, as a position in `files`, and its first line.
        files: the files of the corpus, under the names that the user knows.
        pieces: of the types, if there is a pretrained encoder.
    """

    type_ids: np.ndarray
    tag_ids: np.ndarray
    offsets: np.ndarray
    types: list[str]
    features: dict[str, np.ndarray]
    tags: list[str]
    num_tags: int
    places: np.ndarray
    files: list[str]
    pieces: TypePieces | None = None

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

    def lines_of(self, sentences: Iterable[int]) -> str:
        """Return where sentences start in the corpus: `1.conll lines 3, 17; 2.conll lines 5`."""
        lines: dict[int, list[int]] = {}
        for file, line in sorted(map(tuple, self.places[list(sentences)].tolist())):
            lines.setdefault(file, []).append(line)
        return "; ".join(
            f"{self.files[file]} lines {', '.join(map(str, found))}" for file, found in lines.items()
        )

    def sentences(self) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the tokens and gold tags of each sentence, in corpus order."""
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
    tokenize: Callable[[Sequence[str]], Sequence[Sequence[int]]] | None = None,
) -> list[str]:
    """Encode sentences into a folder. Memory holds the distinct types and a few numbers per sentence.

    Args:
        directory: the folder.
        sentences: the split.
        encoder: the vocabularies; if it has special pieces, `tokenize` is needed.
        tags: the tag vocabulary.
        tokenize: maps surface forms to the ids of their pieces.

    Returns:
        The forms of which some pieces are left out, because no row has room for them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    types: dict[str, int] = {}
    extra: dict[str, int] = {}
    files: dict[str, int] = {}
    type_buffer, tag_buffer, offsets, places = array("i"), array("i"), array("q", [0]), array("i")
    tokens = 0
    with (
        (directory / "type_ids.bin").open("wb") as type_file,
        (directory / "tag_ids.bin").open("wb") as tag_file,
    ):
        for sentence in sentences:
            type_buffer.extend([types.setdefault(token, len(types) + 1) for token in sentence.tokens])
            for tag in sentence.tags:
                tag_id = tags.id(tag)
                if tag_id == UNKNOWN_ID:
                    tag_id = extra.setdefault(tag, len(tags) + len(extra))
                tag_buffer.append(tag_id)
            tokens += len(sentence.tokens)
            offsets.append(tokens)
            places.extend([files.setdefault(sentence.file, len(files)), sentence.line])
            if len(type_buffer) >= _BUFFERED_TOKENS:
                type_buffer.tofile(type_file)
                tag_buffer.tofile(tag_file)
                type_buffer, tag_buffer = array("i"), array("i")
        type_buffer.tofile(type_file)
        tag_buffer.tofile(tag_file)
    for name, content in (("offsets", offsets), ("places", places)):
        (directory / f"{name}.bin").write_bytes(content.tobytes())
    for name, values in encoder.encode_types(types).items():
        np.save(directory / f"{name}.npy", values)
    cut: list[str] = []
    if encoder.pieces and tokenize:
        pieces, cut = encode_pieces(types, tokenize=tokenize, special=encoder.pieces)
        pieces.write(directory)
    (directory / "types.json").write_text(json.dumps(["", *types], ensure_ascii=False), encoding="utf-8")
    meta = {"sentences": len(offsets) - 1, "tokens": tokens, "extra_tags": list(extra), "files": list(files)}
    (directory / "meta.json").write_text(
        json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return cut


def read_encoded_split(directory: Path, *, tags: Vocabulary) -> EncodedSplit:
    """Map a split into memory. Only its tables are copied."""
    meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
    return EncodedSplit(
        type_ids=np.memmap(directory / "type_ids.bin", np.int32, mode="r"),
        tag_ids=np.memmap(directory / "tag_ids.bin", np.int32, mode="r"),
        offsets=np.memmap(directory / "offsets.bin", np.int64, mode="r"),
        types=json.loads((directory / "types.json").read_text(encoding="utf-8")),
        features={name: np.load(directory / f"{name}.npy") for name in FEATURES},
        tags=[*tags.entries, *meta["extra_tags"]],
        num_tags=len(tags),
        places=np.memmap(directory / "places.bin", np.int32, mode="r").reshape(-1, 2),
        files=meta["files"],
        pieces=TypePieces.read(directory),
    )
