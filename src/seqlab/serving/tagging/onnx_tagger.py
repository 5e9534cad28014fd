"""Tag text with the ONNX files of an export: no TensorFlow, and what depends on a token alone only once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.batching.buckets import Windows, cut_windows
from seqlab.batching.pieces import SpecialPieces
from seqlab.errors import SeqlabError
from seqlab.serving.export_config import read_checked_config
from seqlab.serving.tagging.onnx_files import read_onnx
from seqlab.serving.tagging.piece_windows import cut_piece_windows, gatherer_of_matrix, piece_matrix
from seqlab.serving.tagging.tag_decoder import SpanReader, TagDecoder
from seqlab.serving.tagging.tagged_text import (
    TaggedText,
    find_offsets,
    join_tokens,
    make_tagged_texts,
    output_tag_scheme,
    split_at_blanks,
)
from seqlab.serving.tagging.token_features import TokenFeatures
from seqlab.serving.tagging.type_vectors import TypeVectors
from seqlab.serving.tagging.word_pieces import WordPieces
from seqlab.text.text_tokenizer import TextTokenizer, TokenizedTexts

PARTS = "onnx"
"""The folder, inside the export, of the files that this module reads besides `tagger.json`."""

BATCH_POSITIONS = 1024
"""Tokens and padding in a batch. More are slower, because they do not fit into the CPU's cache."""

_KNOWN_PIECES = 1 << 18
"""Most types whose pieces are kept."""


def has_onnx_form(directory: Path) -> bool:
    """Return whether an export contains the files of `OnnxTagger` and ONNX Runtime is installed."""
    return (directory / PARTS / "encoder.onnx").is_file() and find_spec("onnxruntime") is not None


class OnnxTagger:
    """The ONNX files of an export, which need ONNX Runtime and NumPy alone.

    Args:
        directory: the folder of the export.
        task: the expected task; None accepts any task.
        threads: batches that are computed at the same time, each on one core.
        int8: use the encoder whose weights are quantised to 8 bits.
        tag_scheme: the scheme of the tags that it returns; None is IOB2.

    Raises:
        SeqlabError: there is no export, it is damaged, needs more than ONNX Runtime and its own files, or its
            task or version is another one.
    """

    def __init__(
        self,
        directory: Path,
        *,
        task: str | None = None,
        threads: int = 1,
        int8: bool = False,
        tag_scheme: str | None = None,
    ) -> None:
        import onnxruntime

        self.config = read_checked_config(directory, task=task)
        self._tag_scheme = output_tag_scheme(self.config, tag_scheme)
        self._threads = threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.load_model_format", "ONNX")  # the format that is checked
        parts = directory / PARTS
        try:
            rules = json.loads((directory / "tagger.json").read_text(encoding="utf-8"))
            self._embedder, self._encoder = (
                onnxruntime.InferenceSession(
                    read_onnx(parts / name), options, providers=["CPUExecutionProvider"]
                )
                for name in ("embedder.onnx", "encoder.int8.onnx" if int8 else "encoder.onnx")
            )
            known_types = json.loads((parts / "known_types.json").read_text(encoding="utf-8"))
            known_vectors = np.load(parts / "known_types.npy", mmap_mode="r", allow_pickle=False)
            shapes = {put.name: put.shape for put in self._embedder.get_inputs()}
            self._needs_all_characters = isinstance(shapes["char_ids"][1], int)  # a dynamic size is a name
            self._tokenizer, self._features = TextTokenizer(rules), TokenFeatures(rules)
            self._decoder = TagDecoder(rules["decoding"])
            self._span_reader = None if rules["spans"] is None else SpanReader(rules["spans"])
            self._tags, self._window = rules["tags"], rules["window"]
            self._pieces = _Pieces(rules["pieces"]) if "pieces" in rules else None
            self._vectors = TypeVectors(known_types, known_vectors, compute=self._embed)
        except SeqlabError:
            raise
        # ONNX Runtime raises subclasses of Exception alone.
        except Exception as error:
            raise SeqlabError(
                "the exported model cannot be loaded",
                where=str(directory),
                received=f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]}",
                remedy="it is damaged, or needs another version of ONNX Runtime: export it again "
                "(`dvc repro`)",
            ) from error

    def tag(self, texts: Sequence[str], *, tokenized: bool = False) -> list[TaggedText]:
        """Tag raw sentences of any length; if `tokenized`, tokens are separated by blanks alone."""
        return self._tag(
            texts, _concatenated(texts, split_at_blanks(texts)) if tokenized else self._tokenizer(texts)
        )

    def tag_sentences(self, sentences: Sequence[Sequence[str]]) -> list[TaggedText]:
        """Tag tokens; the text of the result is the tokens joined by blanks."""
        texts = join_tokens(sentences)
        return self._tag(texts, _concatenated(texts, sentences))

    def _tag(self, texts: Sequence[str], found: TokenizedTexts) -> list[TaggedText]:
        tag_ids, probabilities = self.tag_tokens(found.tokens, found.row_lengths)
        names = [self._tags[i] for i in tag_ids.tolist()]
        columns = (found.tokens, found.starts.tolist(), found.ends.tolist(), names, probabilities.tolist())
        spans = None if self._span_reader is None else self._span_reader(tag_ids, found.row_lengths)
        return make_tagged_texts(
            texts, columns, found.row_lengths.tolist(), spans, tag_scheme=self._tag_scheme
        )

    def tag_tokens(self, tokens: Sequence[str], row_lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tag the concatenated tokens of sentences.

        Args:
            tokens: the N tokens of all sentences.
            row_lengths: int64 (B,), tokens of each sentence, 0 allowed.

        Returns:
            Tag ids, int32 (N,), and their probabilities, float32 (N,).
        """
        offsets = np.concatenate([[0], np.cumsum(row_lengths)])
        windows = (
            self._pieces.cut(tokens, offsets, **self._window)
            if self._pieces
            else cut_windows(offsets, **self._window)
        )
        logits = np.empty((len(tokens), len(self._tags)), np.float32)
        batches = self._batches(tokens, windows)
        if self._threads == 1:
            for rows, inputs in batches:
                _keep(logits, self._encode(inputs), windows, rows)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                planned = list(batches)
                encoded = pool.map(self._encode, (inputs for _, inputs in planned))
                for (rows, _), batch_logits in zip(planned, encoded, strict=True):
                    _keep(logits, batch_logits, windows, rows)
        return self._decoder(logits, row_lengths)

    def _batches(
        self, tokens: Sequence[str], windows: Windows
    ) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Yield windows of similar length, int64 (R,), and the encoder's inputs for them."""
        order = np.argsort(windows.length, kind="stable")
        order = order[windows.length[order] > 0]
        first = 0
        while first < len(order):
            stop = first + 1
            while stop < len(order) and windows.length[order[stop]] * (stop + 1 - first) <= BATCH_POSITIONS:
                stop += 1
            rows = order[first:stop]
            yield rows, self._inputs(tokens, windows, rows)
            first = stop

    def _inputs(self, tokens: Sequence[str], windows: Windows, rows: np.ndarray) -> dict[str, np.ndarray]:
        starts, lengths = windows.start[rows].tolist(), windows.length[rows]
        flat = [
            token
            for start, n in zip(starts, lengths.tolist(), strict=True)
            for token in tokens[start : start + n]
        ]
        vectors, types = self._vectors.look_up(flat)
        padded = np.zeros((len(rows), lengths.max()), np.int32)
        padded[np.arange(lengths.max()) < lengths[:, None]] = types
        inputs = {"vectors": vectors, "types": padded}
        if self._pieces:
            places = np.zeros(padded.shape, np.int64)
            places[padded > 0] = np.arange(len(flat))
            inputs |= self._pieces.features(flat, np.where(padded > 0, places + 1, 0))
        return inputs

    def _encode(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        logits: np.ndarray = self._encoder.run(None, inputs)[0]
        return logits

    def _embed(self, types: Sequence[str]) -> np.ndarray:
        features = self._features(types)
        if not self._needs_all_characters:
            longest = int(np.flatnonzero(features["char_ids"].any(axis=0))[-1]) + 1
            features["char_ids"] = features["char_ids"][:, :longest]
        vectors: np.ndarray = self._embedder.run(None, features)[0]
        return vectors


class _Pieces:
    """The pieces of tokens, as a pretrained encoder reads them.

    Args:
        rules: `pieces` of `tagger.json`.
    """

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self._special = SpecialPieces(**rules["special"])
        tokenize = WordPieces(rules)
        self._of_type = lru_cache(maxsize=_KNOWN_PIECES)(
            lambda token: tuple(tokenize([token])[0][: self._special.max_pieces])
        )

    def cut(self, tokens: Sequence[str], offsets: np.ndarray, **window: int) -> Windows:
        """Cut sentences into windows; see `cut_piece_windows`."""
        counts = np.fromiter((len(self._of_type(token)) for token in tokens), np.int64, len(tokens))
        return cut_piece_windows(offsets, counts, max_pieces=self._special.max_pieces, **window)

    def features(self, tokens: Sequence[str], places: np.ndarray) -> dict[str, np.ndarray]:
        """Return the features of `PretrainedEmbedding`; places, (B, T), are 1 to N, and 0 at padding."""
        matrix = piece_matrix([self._of_type(token) for token in tokens])
        return gatherer_of_matrix(matrix, self._special).gather(places)


def _keep(logits: np.ndarray, batch_logits: np.ndarray, windows: Windows, rows: np.ndarray) -> None:
    """Copy the part that each window keeps, of float (R, W, K), to the tokens' logits, float (N, K)."""
    place = np.arange(batch_logits.shape[1])
    keep_start, keep_stop = (column[rows][:, None] for column in (windows.keep_start, windows.keep_stop))
    is_kept = (place >= keep_start) & (place < keep_stop)
    logits[(windows.start[rows][:, None] + place)[is_kept]] = batch_logits[is_kept]


def _concatenated(texts: Sequence[str], rows: Sequence[Sequence[str]]) -> TokenizedTexts:
    """Concatenate the tokens of each text, and find their offsets."""
    tokens = [token for row in rows for token in row]
    row_lengths, text_lengths, sizes = (
        np.fromiter(map(len, strings), np.int64, len(strings)) for strings in (rows, texts, tokens)
    )
    # As if a single blank separated the tokens; texts with other lengths are searched.
    places = np.concatenate([[0], np.cumsum(sizes + 1)])
    stops = np.cumsum(row_lengths)
    firsts = stops - row_lengths
    starts = places[:-1] - np.repeat(places[firsts], row_lengths)
    ends = starts + sizes
    for row in np.flatnonzero(text_lengths != places[stops] - places[firsts] - 1).tolist():
        part = slice(firsts[row], stops[row])
        starts[part], ends[part] = find_offsets(texts[row], rows[row])
    return TokenizedTexts(tokens, row_lengths, starts, ends)
