"""A team's own files as a corpus."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from seqlab.atomic import replaced_directory
from seqlab.corpus.blocks import Block, scan_blocks
from seqlab.corpus.conll import ConllLayout
from seqlab.corpus.conllu import CONLLU_TAG_COLUMNS
from seqlab.corpus.file_formats import is_conllu
from seqlab.corpus.manifest import write_manifest
from seqlab.errors import CorpusError, disk_error
from seqlab.tags import canonical_tag_scheme, find_unreadable_tag

logger = logging.getLogger(__name__)

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
    """Copy a team's files unchanged into a corpus folder, and write its manifest.

    The folder is replaced as a whole, and only if everything succeeds. Files with the extension `.conllu`
    (before `.gz` or `.zst`) are read as CoNLL-U; `columns`, `separator` and `comment_prefix` are ignored. A
    column in which most tags look like `O` or `B-PER` is read as spans in `tag_scheme`.

    Args:
        directory: the folder to write.
        train: path of a file, or of a folder whose files are read in the order of their names.
        dev: the same; if it is None, empty or equal to `train`, a share of train's sentences becomes dev.
        test: the same as for `train`.
        columns: see `ConllLayout`, as for `separator` and `comment_prefix`.
        separator: the column separator.
        comment_prefix: the start of a comment, or None.
        tag_scheme: the scheme of the span columns, or None if there are none.
        tag_repair: repair invalid tag sequences while reading.
        dev_share: expected share of train's sentences that become dev, 0 to 1, if there is no dev split.
        seed: selects those sentences.

    Returns:
        The manifest.

    Raises:
        CorpusError: a path does not exist, a folder is empty, formats are mixed, a file changed while it was
            copied, or the layout is invalid.
    """
    layout = ConllLayout(tuple(columns), separator, comment_prefix)
    cut_dev = not dev or os.path.realpath(Path(dev).expanduser()) == os.path.realpath(
        Path(train).expanduser()
    )
    paths = {"train": train, "test": test} if cut_dev else {"train": train, "dev": dev or "", "test": test}
    sources = {split: _resolve(split, path) for split, path in paths.items()}
    for split in sources.keys() - {"test"}:
        for path in {*sources[split].values()} & {*sources["test"].values()}:
            logger.warning("%s and test both contain %s: the test score will be too high", split, path.name)
    in_conllu = _are_conllu([path for split in sources.values() for path in split.values()])
    with replaced_directory(directory) as made:
        files = {split: _copy_split(made, split, sources[split], in_conllu) for split in sources}
        shares: dict[str, dict[str, Any]] = {}
        if cut_dev:
            files = {"train": files["train"], "dev": files["train"], "test": files["test"]}
            shares = {
                split: {"seed": seed, "share": dev_share, "taken": split == "dev"}
                for split in ("train", "dev")
            }
        tag_schemes: dict[str, str] = {}
        if tag_scheme is not None and not in_conllu:
            first = next(iter(files["train"]))
            scheme = canonical_tag_scheme(tag_scheme)
            tag_schemes = dict.fromkeys(
                find_span_columns(made / first, layout, files["train"][first]), scheme
            )
        return write_manifest(
            made,
            name="files",
            title="own files",
            licence="not stated",
            columns=("token", *CONLLU_TAG_COLUMNS) if in_conllu else layout.columns,
            files=files,
            tag_schemes=tag_schemes,
            format="conllu" if in_conllu else "conll",
            separator=layout.separator,
            comment_prefix=comment_prefix,
            tag_repair=tag_repair,
            shares=shares,
        )


def _resolve(split: str, given: str) -> dict[str, Path]:
    """Return a split's files by the names under which the user knows them."""
    where = f"{_PARAMETER}.{split}"
    if not given:
        raise CorpusError("the path is empty", where=where, expected="a file or a folder of files")
    path = _real_path(given)
    if path.is_file():
        return {given: path}
    if not path.exists():
        raise CorpusError(
            "no such file or folder",
            where=where,
            received=f"{given}, which is {path}",
            remedy="correct the path",
        )
    if not path.is_dir():
        raise CorpusError("neither a file nor a folder", where=where, received=f"{given}, which is {path}")
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise CorpusError("the folder has no files", where=where, received=f"{given}, which is {path}")
    return {str(Path(given) / file.name): file for file in files}


def _real_path(given: str) -> Path:
    return Path(os.path.realpath(Path(given).expanduser()))  # `Path.resolve` raises in a loop of links


def _are_conllu(paths: Sequence[Path]) -> bool:
    conllu = [path for path in paths if is_conllu(path)]
    if conllu and len(conllu) < len(paths):
        other = next(path for path in paths if not is_conllu(path))
        raise CorpusError(
            "the formats are mixed",
            where=_PARAMETER,
            expected="CoNLL-U for all files or for none",
            received=f"{conllu[0].name} and {other.name}",
        )
    return bool(conllu)


def _copy_split(made: Path, split: str, sources: Mapping[str, Path], in_conllu: bool) -> dict[str, str]:
    """Copy a split's files; return the name of each copy with the name of its source."""
    copies = {}
    for number, (source, path) in enumerate(sources.items()):
        packing = path.suffix if path.suffix in (".gz", ".zst") else ""
        name = split if len(sources) == 1 else f"{split}-{number:04d}"
        copy = f"{name}.{'conllu' if in_conllu else 'conll'}{packing}"
        before = path.stat()
        try:
            shutil.copyfile(path, made / copy)
        except OSError as error:
            if full := disk_error(error):
                raise full from error
            raise CorpusError("the file cannot be read", file=source, received=str(error)) from error
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise CorpusError(
                "the file changed while it was copied",
                file=source,
                remedy="run again when no other program writes to it",
            )
        copies[copy] = source
    return copies


def find_span_columns(path: Path, layout: ConllLayout, display_name: str) -> list[str]:
    """Find the columns in which most tags at the start of the file look like spans."""
    names = [name for name in layout.columns if name not in ("token", "_")]
    looks_like_span = dict.fromkeys(names, 0)
    total = 0
    for block in islice(scan_blocks(path, layout=layout, display_name=display_name), _BLOCKS_LOOKED_AT):
        if isinstance(block, Block):  # invalid lines are reported when the corpus is prepared
            total += len(block.rows)
            for name in names:
                tags = block.column(name)
                looks_like_span[name] += sum(find_unreadable_tag([tag]) is None for tag in tags)
    return [name for name in names if looks_like_span[name] * 2 > total]
