"""A team's own files as a corpus, and reading any corpus's splits."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from seqlab.atomic import replaced_directory
from seqlab.corpus.blocks import Block, scan_blocks
from seqlab.corpus.conll import ConllLayout, check_tag_column, read_conll
from seqlab.corpus.conllu import CONLLU_TAG_COLUMNS, read_conllu
from seqlab.corpus.errors import CorpusError
from seqlab.corpus.manifest import read_manifest, write_manifest
from seqlab.corpus.sentence import Sentence
from seqlab.corpus.tag_scheme import canonical_tag_scheme, find_unreadable_tag

_PARAMETER = "corpus.files"
_BLOCKS_LOOKED_AT = 1_000


def copy_files(
    directory: Path,
    *,
    train: str,
    dev: str | None,
    test: str,
    columns: Sequence[str],
    separator: str = "\t",
    comment_prefix: str | None = "# ",
    tag_scheme: str | None = None,
    tag_repair: bool = False,
    dev_share: float = 0.1,
    seed: int = 0,
) -> dict[str, Any]:
    """Copy a team's files as they are into a corpus folder, and write its manifest.

    The folder is replaced as a whole, and only when everything went well. Files that end in `.conllu` (before
    `.gz` or `.zst`) are CoNLL-U, for which `columns`, `separator` and `comment_prefix` do not matter. Columns
    in which most tags look like `O` or `B-PER` are taken to spell spans in `tag_scheme`.

    Args:
        directory: the folder to make.
        train: path of a file, or of a folder whose files are taken in the order of their names.
        dev: the same; where it is None, empty or equal to `train`, a share of train's sentences is cut off.
        test: the same as for `train`.
        columns: the columns' names in order, one of them `token` (see `ConllLayout`).
        separator: what stands between columns.
        comment_prefix: what a comment starts with, or None.
        tag_scheme: the scheme of the columns that spell spans, or None where none does.
        tag_repair: repair invalid sequences of tags while reading.
        dev_share: the expected part of train's sentences that become dev, 0..1, where there is no dev.
        seed: chooses those sentences.

    Returns:
        The manifest.

    Raises:
        CorpusError: a path that leads nowhere, an empty folder, formats mixed, a file that changed while it
            was copied, or a layout that is none.
    """
    layout = ConllLayout(tuple(columns), separator, comment_prefix)
    cut_dev = not dev or Path(dev).expanduser().resolve() == Path(train).expanduser().resolve()
    paths = {"train": train, "test": test} if cut_dev else {"train": train, "dev": dev or "", "test": test}
    sources = {split: _resolve(split, path) for split, path in paths.items()}
    is_conllu = _is_conllu([path for split in sources.values() for path in split.values()])
    with replaced_directory(directory) as made:
        files = {split: _copy_split(made, split, sources[split], is_conllu) for split in sources}
        shares: dict[str, dict[str, Any]] = {}
        if cut_dev:
            files = {"train": files["train"], "dev": files["train"], "test": files["test"]}
            shares = {
                split: {"seed": seed, "share": dev_share, "taken": split == "dev"}
                for split in ("train", "dev")
            }
        tag_schemes: dict[str, str] = {}
        if tag_scheme is not None and not is_conllu:
            first = next(iter(files["train"]))
            scheme = canonical_tag_scheme(tag_scheme)
            tag_schemes = dict.fromkeys(_span_columns(made / first, layout, files["train"][first]), scheme)
        return write_manifest(
            made,
            name="files",
            title="own files",
            licence="not stated",
            columns=("token", *CONLLU_TAG_COLUMNS) if is_conllu else layout.columns,
            files=files,
            tag_schemes=tag_schemes,
            format="conllu" if is_conllu else "conll",
            separator=layout.separator,
            comment_prefix=comment_prefix,
            tag_repair=tag_repair,
            shares=shares,
        )


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


def _resolve(split: str, given: str) -> dict[str, Path]:
    """Give a split's files by the names that the user would give them."""
    where = f"{_PARAMETER}.{split}"
    if not given:
        raise CorpusError("no path", where=where, expected="a file or a folder of files", remedy="set it")
    path = Path(given).expanduser().resolve()
    if path.is_file():
        return {given: path}
    if not path.exists():
        raise CorpusError(
            "no such file or folder",
            where=where,
            received=f"{given}, which is {path}",
            remedy="mend the path",
        )
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise CorpusError("a folder without files", where=where, received=f"{given}, which is {path}")
    return {str(Path(given) / file.name): file for file in files}


def _is_conllu(paths: Sequence[Path]) -> bool:
    endings = {path: Path(path.name.removesuffix(".gz").removesuffix(".zst")).suffix for path in paths}
    conllu = [path for path in paths if endings[path] == ".conllu"]
    if conllu and len(conllu) < len(paths):
        other = next(path for path in paths if endings[path] != ".conllu")
        raise CorpusError(
            "formats are mixed",
            where=_PARAMETER,
            expected="all files in CoNLL-U, or none",
            received=f"{conllu[0].name} and {other.name}",
        )
    return bool(conllu)


def _copy_split(made: Path, split: str, sources: Mapping[str, Path], is_conllu: bool) -> dict[str, str]:
    """Copy a split's files and give each copy's name with its source's."""
    copies = {}
    for number, (source, path) in enumerate(sources.items()):
        packing = path.suffix if path.suffix in (".gz", ".zst") else ""
        name = split if len(sources) == 1 else f"{split}-{number:04d}"
        copy = f"{name}.{'conllu' if is_conllu else 'conll'}{packing}"
        before = path.stat()
        try:
            shutil.copyfile(path, made / copy)
        except OSError as error:
            raise CorpusError("the file cannot be read", file=source, received=str(error)) from error
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise CorpusError(
                "the file changed while it was copied",
                file=source,
                remedy="run again once nothing writes to it",
            )
        copies[copy] = source
    return copies


def _span_columns(path: Path, layout: ConllLayout, display_name: str) -> list[str]:
    """Find the columns in which most tags at the beginning of the file look as if they spelled spans."""
    names = [name for name in layout.columns if name not in ("token", "_")]
    looks_like_span = dict.fromkeys(names, 0)
    total = 0
    for block in islice(scan_blocks(path, layout=layout, display_name=display_name), _BLOCKS_LOOKED_AT):
        if isinstance(block, Block):  # what is wrong with a line is said when the corpus is prepared
            total += len(block.rows)
            for name in names:
                tags = block.column(name)
                looks_like_span[name] += sum(find_unreadable_tag([tag]) is None for tag in tags)
    return [name for name in names if looks_like_span[name] * 2 > total]
