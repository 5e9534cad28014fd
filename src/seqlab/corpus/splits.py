"""Reading any corpus's splits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.corpus.conll import check_tag_column, read_conll
from seqlab.corpus.conllu import read_conllu
from seqlab.corpus.manifest import read_manifest
from seqlab.corpus.sentence import Sentence
from seqlab.errors import CorpusError


def read_split(
    directory: Path,
    split: str,
    *,
    tag_column: str,
    as_spans: bool = True,
    on_repair: Callable[[Sentence, int], None] | None = None,
) -> Iterator[Sentence]:
    """Read one split of any corpus, in memory bounded by its longest sentence.

    Args:
        directory: the corpus's folder with its manifest.
        split: `train`, `dev` or `test`.
        tag_column: the column to take the tags from; they are validated in its scheme where it spells spans.
        as_spans: False takes the tags as they stand, whatever they spell.
        on_repair: called with each sentence whose tags were repaired, and how many of them were.

    Returns:
        An iterator over the sentences, whose errors name the files as the user knows them.

    Raises:
        CorpusError: at once where there is no such column, split or manifest, and while reading at the first
            thing wrong in the files, or at the end where the split has no sentence.
    """
    manifest = read_manifest(directory)
    check_tag_column(tag_column, manifest["columns"], where=f"corpus {manifest['name']}")
    if split not in manifest["splits"]:
        raise CorpusError(
            "the corpus has no such split",
            where=f"corpus {manifest['name']}",
            expected=f"one of {', '.join(manifest['splits'])}",
            received=repr(split),
        )
    if not as_spans:
        manifest = {**manifest, "tag_schemes": {}}
    return _read_files(directory, manifest, split, tag_column, on_repair)


def in_share(tokens: Sequence[str], *, seed: int, share: float) -> bool:
    """Say whether a sentence belongs to a share of its corpus.

    The answer depends on the tokens and the seed alone, so that sentences that occur twice stay together and
    nothing moves when others are added.

    Args:
        tokens: the sentence.
        seed: another seed takes other sentences.
        share: the expected part of all sentences that is taken, 0..1.
    """
    content = "\0".join(tokens).encode(errors="surrogatepass")
    digest = hashlib.blake2b(content, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest) < share * 2**64


def _read_files(
    directory: Path,
    manifest: Mapping[str, Any],
    split: str,
    tag_column: str,
    on_repair: Callable[[Sentence, int], None] | None,
) -> Iterator[Sentence]:
    share = manifest["splits"][split]["share"]
    is_empty = True
    for file in manifest["splits"][split]["files"]:
        for sentence in _read_file(directory / file["file"], file["source"], manifest, tag_column, on_repair):
            if share is not None:
                taken = in_share(sentence.tokens, seed=share["seed"], share=share["share"])
                if taken != share["taken"]:
                    continue
            is_empty = False
            yield sentence
    if is_empty and share is not None:
        raise CorpusError(
            f"no sentence of train is left for {split}",
            where="corpus.dev_share",
            expected="a share that leaves sentences to train and to dev",
            received=str(share["share"]),
            remedy="change the share or the seed, or name a file for dev",
        )


def _read_file(
    path: Path,
    source: str,
    manifest: Mapping[str, Any],
    tag_column: str,
    on_repair: Callable[[Sentence, int], None] | None,
) -> Iterator[Sentence]:
    tag_scheme, tag_repair = manifest["tag_schemes"].get(tag_column), manifest["tag_repair"]
    if manifest["format"] == "conllu":
        return read_conllu(
            path,
            tag_column=tag_column,
            tag_scheme=tag_scheme,
            tag_repair=tag_repair,
            on_repair=on_repair,
            display_name=source,
        )
    return read_conll(
        path,
        columns=manifest["columns"],
        tag_column=tag_column,
        separator=manifest["separator"],
        comment_prefix=manifest["comment_prefix"],
        tag_scheme=tag_scheme,
        tag_repair=tag_repair,
        on_repair=on_repair,
        display_name=source,
    )
