"""Reading the splits of a corpus through its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from seqlab.corpus.blocks import Layout, read_sentences, scan_blocks
from seqlab.corpus.conll import ConllLayout, check_tag_column
from seqlab.corpus.conllu import ConlluLayout
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
    """Read one split of a corpus. Memory holds one sentence at a time.

    Args:
        directory: the folder with the corpus and its manifest.
        split: `train`, `dev` or `test`.
        tag_column: the column that contains the tags.
        as_spans: validate the tags in the column's scheme, if it has one. If False, any tag is accepted.
        on_repair: called with each sentence with repaired tags and the number of tags that were changed.

    Returns:
        An iterator over the sentences. Errors name the files as the user knows them.

    Raises:
        CorpusError: immediately if there is no such column, split or manifest; during iteration at the first
            error in the files, or if the split contains no sentence.
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
    layout: Layout = ConlluLayout(tag_column)
    if manifest["format"] != "conllu":
        layout = ConllLayout(manifest["columns"], manifest["separator"], manifest["comment_prefix"])
    blocks = chain.from_iterable(
        scan_blocks(directory / file["file"], layout=layout, display_name=file["source"])
        for file in manifest["splits"][split]["files"]
    )
    sentences = read_sentences(
        blocks,
        tag_column=tag_column,
        tag_scheme=manifest["tag_schemes"].get(tag_column) if as_spans else None,
        tag_repair=manifest["tag_repair"],
        on_repair=on_repair,
    )
    share = manifest["splits"][split]["share"]
    return _take_share(sentences, split, **share) if share else sentences


def in_share(tokens: Sequence[str], *, seed: int, share: float) -> bool:
    """Return whether a sentence belongs to a share, 0..1, of its corpus.

    The result depends only on the tokens and the seed. Duplicate sentences therefore stay together, and
    adding sentences to the corpus moves no others.
    """
    content = "\0".join(tokens).encode(errors="surrogatepass")
    digest = hashlib.blake2b(content, digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest) < share * 2**64


def _take_share(
    sentences: Iterable[Sentence], split: str, *, seed: int, share: float, taken: bool
) -> Iterator[Sentence]:
    is_empty = True
    for sentence in sentences:
        if in_share(sentence.tokens, seed=seed, share=share) == taken:
            is_empty = False
            yield sentence
    if is_empty:
        raise CorpusError(
            f"no sentence of train is left for {split}",
            where="corpus.dev_share",
            expected="a share that leaves sentences for train and for dev",
            received=str(share),
            remedy="change the share or the seed, or set corpus.files.dev to a file",
        )
