"""From a downloaded corpus to vocabularies and encoded splits."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.atomic import replaced_directory, write_json
from seqlab.batching.auxiliary import write_auxiliary
from seqlab.batching.encoding import FeatureEncoder, write_encoded_split
from seqlab.batching.features import normalize_token, token_shape
from seqlab.batching.pieces import SpecialPieces
from seqlab.batching.vectors import embeddings_for, read_vectors
from seqlab.batching.vocabulary import Vocabulary
from seqlab.corpus.conll import IGNORED_COLUMN, check_tag_column
from seqlab.corpus.manifest import SPLITS, read_manifest
from seqlab.corpus.sentence import Sentence
from seqlab.corpus.splits import read_split
from seqlab.corpus.statistics import corpus_statistics
from seqlab.errors import SeqlabError
from seqlab.params import TaskParams
from seqlab.tags import NUM_RESERVED, convert_tags

logger = logging.getLogger(__name__)

MAX_AUXILIARY_TAGS = 500
"""With `auxiliary.columns: all`, a column with more tags is left out; by its name it is learned."""
_PREPARED_FROM: Any = {
    "column": True,
    "tag_scheme": True,
    "auxiliary": {"columns"},
    "embedder": {
        **dict.fromkeys(("min_count", "lowercase", "vectors", "vectors_limit", "max_token_length"), True),
        "pretrained": {"source", "digest", "layers", "trained"},
    },
}
_MIN_COUNT = 2
"""Rarer characters and shapes are unknown, so that the embedding of `unknown` is trained on rare ones."""


def preparation_settings(task: TaskParams) -> dict[str, Any]:
    """Return the parameters of a task that its prepared data depends on."""
    return task.model_dump(mode="json", include=_PREPARED_FROM)


def prepare_task(raw: Path, prepared: Path, *, task: TaskParams, mirror: str | None = None) -> dict[str, Any]:
    """Read, validate, convert and encode one task's column. Vocabularies come from train alone.

    Args:
        raw: the downloaded corpus with its manifest.
        prepared: the folder to write: `vocabulary/`, `train/`, `dev/`, `test/` and `corpus.json`. It is
            replaced as a whole, and only if everything succeeds.
        task: the task's section of the parameters.
        mirror: a folder or an address, tried before the origin of a pretrained encoder.

    Returns:
        The corpus's statistics and identity, ready for JSON.

    Raises:
        SeqlabError: the corpus is not valid or does not have the column.
    """
    manifest = read_manifest(raw)
    scheme = manifest["tag_schemes"].get(task.column)
    if task.tag_scheme is not None and task.column in manifest["columns"] and scheme is None:
        next(read_split(raw, "train", tag_column=task.column))  # an unreadable file is reported as such
        spans = ", ".join(sorted(manifest["tag_schemes"])) or "no column"
        raise SeqlabError(
            f"column {task.column!r} of corpus {manifest['name']!r} does not contain spans",
            where="tag_scheme",
            expected="null, or a column of spans",
            received=f"{task.tag_scheme}; columns of spans: {spans}",
            remedy="set the task's tag_scheme to null, or its column to one with spans",
        )

    def sentences(split: str, on_repair: Callable[[Sentence, int], None] | None = None) -> Iterator[Sentence]:
        for sentence in read_split(raw, split, tag_column=task.column, on_repair=on_repair):
            if scheme is not None and task.tag_scheme is not None:
                tags = convert_tags(sentence.tags, source=scheme, target=task.tag_scheme)
                sentence = replace(sentence, tags=tuple(tags))
            yield sentence

    auxiliary = _auxiliary_columns(manifest, task)
    logger.info("reading and validating the splits")
    statistics = corpus_statistics({split: sentences(split) for split in SPLITS})
    logger.info("counting the vocabulary of train")
    encoder, tags = _build_vocabularies(sentences("train"), task)
    repaired: Counter[str] = Counter()
    with replaced_directory(prepared) as made:
        encoder, vectors = _add_vectors(made, encoder, task)
        encoder, tokenizer, pretrained = _add_encoder(made, encoder, task, mirror)
        encoder.write(made / "vocabulary")
        tags.write(made / "vocabulary" / "tags.json")
        for split in SPLITS:
            logger.info("encoding %s", split)
            rows = sentences(split, lambda _, count, split=split: repaired.update({split: count}))  # type: ignore[misc]
            cut = write_encoded_split(made / split, rows, encoder=encoder, tags=tags, tokenize=tokenizer)
            for form in cut:
                logger.warning(
                    "%s has a token of more than %d pieces; the excess pieces are left out: %.40s",
                    split,
                    encoder.pieces.max_pieces if encoder.pieces else 0,
                    form,
                )
        left_out = write_auxiliary(
            made / "train",
            {
                column: partial(read_split, raw, "train", tag_column=column, as_spans=False)
                for column in auxiliary
            },
            max_tags=MAX_AUXILIARY_TAGS if task.auxiliary.columns == "all" else None,
        )
        for column, reason in left_out.items():
            logger.warning(
                "auxiliary column %s is not learned together with %s: %s", column, task.column, reason
            )
        report = {
            "corpus": manifest["name"],
            "title": manifest["title"],
            "licence": manifest["licence"],
            "synthetic": manifest["synthetic"],
            "digest": manifest["digest"],
            "column": task.column,
            "tag_scheme": task.tag_scheme,
            "auxiliary_columns": [column for column in auxiliary if column not in left_out],
            "auxiliary_columns_left_out": left_out,
            "vocabulary": {
                "tokens": len(encoder.tokens),
                "characters": len(encoder.characters),
                "shapes": len(encoder.shapes),
                "tags": len(tags),
            },
            "vectors": vectors,
            "pretrained": pretrained,
            "tags_repaired": dict(repaired),
            **statistics,
        }
        write_json(made / "corpus.json", report)
    for name in SPLITS:
        for tag, count in report["splits"][name].get("tags_unseen_in_train", {}).items():
            logger.warning(
                "%s has %d tokens tagged %s, which does not occur in train: they count as errors",
                name,
                count,
                tag,
            )
    return report


def _auxiliary_columns(manifest: dict[str, Any], task: TaskParams) -> list[str]:
    """Return the names of the columns to learn beside the task's own."""
    columns: list[str] = manifest["columns"]
    if task.auxiliary.columns == "all":
        return [name for name in columns if name not in ("token", IGNORED_COLUMN, task.column)]
    for column in task.auxiliary.columns:
        check_tag_column(column, columns, where=f"auxiliary.columns, corpus {manifest['name']}")
    return task.auxiliary.columns


def _build_vocabularies(train: Iterator[Sentence], task: TaskParams) -> tuple[FeatureEncoder, Vocabulary]:
    forms: Counter[str] = Counter()
    tags: Counter[str] = Counter()
    for sentence in train:
        forms.update(sentence.tokens)
        tags.update(sentence.tags)
    if task.tag_scheme is not None:
        tags.setdefault("O", 1)  # a sentence of any length then has a valid tag sequence
    tokens: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    shapes: Counter[str] = Counter()
    for form, count in forms.items():
        tokens[normalize_token(form, lowercase=task.embedder.lowercase)] += count
        shapes[token_shape(form)] += count
        for character in form:
            characters[character] += count
    encoder = FeatureEncoder(
        tokens=Vocabulary.from_counts(tokens, min_count=task.embedder.min_count),
        characters=Vocabulary.from_counts(characters, min_count=_MIN_COUNT),
        shapes=Vocabulary.from_counts(shapes, min_count=_MIN_COUNT),
        lowercase=task.embedder.lowercase,
        max_token_length=task.embedder.max_token_length,
    )
    return encoder, Vocabulary.from_counts(tags)


def _add_encoder(
    made: Path, encoder: FeatureEncoder, task: TaskParams, mirror: str | None
) -> tuple[FeatureEncoder, Callable[[Sequence[str]], list[list[int]]] | None, dict[str, Any] | None]:
    """Write `pretrained/`, the files of the encoder, and `vocabulary/tokenizer/`, if an encoder is named.

    Returns:
        The feature encoder with the special pieces, the tokenizer, and what is known of the encoder's files.
    """
    params = task.embedder.pretrained
    if not params.source:
        return encoder, None, None
    from seqlab.hub.encoder_files import copy_encoder
    from seqlab.hub.loading import PieceTokenizer, load_backbone
    from seqlab.modeling.pretrained import check_backbone

    files = copy_encoder(params.source, made / "pretrained", digest=params.digest, mirror=mirror)
    logger.info("reading the pretrained encoder %s, SHA-256 %s", files.source, files.digest)
    backbone = load_backbone(made / "pretrained", load_weights=False)
    check_backbone(backbone, needs_blocks=params.layers == "mix" or isinstance(params.trained, int))
    tokenizer = PieceTokenizer(made / "pretrained")
    tokenizer.save(made / "vocabulary" / "tokenizer")
    special = SpecialPieces(
        tokenizer.start, tokenizer.end, tokenizer.unknown, backbone.max_sequence_length - 2
    )
    return replace(encoder, pieces=special), tokenizer, asdict(files)


def _add_vectors(
    made: Path, encoder: FeatureEncoder, task: TaskParams
) -> tuple[FeatureEncoder, dict[str, Any] | None]:
    """Add the forms of the word vectors to the token vocabulary and write the vectors, if there are any.

    `vectors.npy`, float32 (V, D), has the vectors of the V entries that train gives, NaN for entries without
    one. `frozen_vectors.npy`, float32 (F, D), has those of the F other forms, whose ids follow.

    Returns:
        The encoder, and what corpus.json says about the vectors.

    Raises:
        SeqlabError: the file is not valid, or the vectors do not fit the token embedding.
    """
    params = task.embedder
    path = Path(params.vectors)
    found = read_vectors(path, lowercase=params.lowercase, limit=params.vectors_limit)
    if not found.forms:
        return encoder, None
    dimension = found.vectors.shape[1]
    if dimension != params.token_embedding_dim:
        raise SeqlabError(
            "the word vectors do not fit the token embedding",
            where="embedder.token_embedding_dim",
            expected=f"{dimension}, as in {path}",
            received=str(params.token_embedding_dim),
            remedy="set token_embedding_dim to the dimension of the vectors",
        )
    rows = {form: row for row, form in enumerate(found.forms)}
    entries = encoder.tokens.entries
    table = embeddings_for(entries, rows, found.vectors, lowercase=params.lowercase)
    np.save(made / "vectors.npy", table)
    others = [row for form, row in rows.items() if form not in encoder.tokens]
    frozen = np.lib.format.open_memmap(
        made / "frozen_vectors.npy", mode="w+", dtype=np.float32, shape=(len(others), dimension)
    )
    np.take(found.vectors, others, axis=0, out=frozen, mode="clip")  # other modes copy the result
    frozen.flush()
    report = {
        "file": path.name,
        "read": found.read,
        "dimension": dimension,
        "forms": len(rows),
        "forms_of_train": int(np.isfinite(table[:, 0]).sum()),
        "forms_frozen": len(others),
    }
    logger.info(
        "%s: %d vectors of %d numbers; %d of the %d tokens of the vocabulary have one; %d more words are "
        "added and frozen",
        path,
        found.read,
        dimension,
        report["forms_of_train"],
        len(entries) - NUM_RESERVED,
        len(others),
    )
    tokens = Vocabulary([*entries[NUM_RESERVED:], *(found.forms[row] for row in others)])
    return replace(encoder, tokens=tokens), report
