"""Checking files: all errors and warnings of a corpus in one report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path

from seqlab.corpus.blocks import Block, scan_blocks, tag_error
from seqlab.corpus.conll import IGNORED_COLUMN, ConllLayout
from seqlab.corpus.conllu import CONLLU_TAG_COLUMNS, ConlluLayout
from seqlab.corpus.diagnosis import (
    NEARLY_ALL,
    WRONG_WIDTH,
    describe_lines,
    find_scheme,
    replace_foreign_tags,
    scheme_error,
)
from seqlab.corpus.file_formats import find_foreign_format, is_conllu
from seqlab.corpus.findings import MAX_PER_KIND, CheckedFile, Findings, count_of
from seqlab.corpus.tag_spellings import find_suspicious_spellings
from seqlab.errors import CorpusError
from seqlab.tags import (
    TAG_SCHEMES,
    canonical_tag_scheme,
    find_tag_problems,
    is_valid_tag,
    split_tag,
    tags_to_spans,
    validate_tags,
)

# UTF-8 read as Latin-1 or Windows-1252 (Ã©, â€™), lost characters, byte order marks inside, C1 controls.
_SUSPICIOUS = re.compile("[ÃÂ][\u0080-\u00bf]|â€|[\ufffd\ufeff\u0080-\u009f]")
_LONG_AT_LEAST, _LONG_TIMES = 100, 5


def check_files(
    paths: Sequence[str | PathLike[str]],
    *,
    layout: ConllLayout,
    tag_schemes: Mapping[str, str],
    max_per_kind: int = MAX_PER_KIND,
) -> list[CheckedFile]:
    """Read files to their ends and collect all errors and warnings.

    Where nearly all lines or sentences of a file fail alike, a single error says what the file contains
    instead and which settings fit, and the rest of the file is checked as if they were set.

    Args:
        paths: the files, each treated as a split, or folders of files. Files named `.conllu` are read as
            CoNLL-U; files whose names show another format are not read.
        layout: the layout of the other files.
        tag_schemes: the scheme of each column whose tags encode spans.
        max_per_kind: errors or warnings of each kind that are listed for each file.

    Raises:
        CorpusError: unknown scheme or column in `tag_schemes`. Errors in the files are not raised.
    """
    schemes = {column: canonical_tag_scheme(scheme) for column, scheme in tag_schemes.items()}
    if unknown := sorted(set(schemes) - set(layout.columns)):
        raise CorpusError(
            "tag scheme for an unknown column",
            where="tag_schemes",
            expected=f"columns among {', '.join(layout.columns)}",
            received=", ".join(unknown),
        )
    files = [
        _check_file(path, layout, schemes, max_per_kind) for given in paths for path in _files_of(Path(given))
    ]
    for index, checked in enumerate(files):
        checked.warnings.add(*_find_repeated(checked, files[:index]), *_find_long(checked))
        checked.warnings.add(*_find_lone_tags(checked, files[:index] + files[index + 1 :]))
    _add_suspicious_spellings(files)
    return files


def _files_of(path: Path) -> list[Path]:
    if find_foreign_format(path):
        return [path]
    entries = sorted(path.iterdir()) if path.is_dir() else []
    return [file for file in entries if file.is_file() and not file.name.startswith(".")] or [path]


def _check_file(
    path: Path, layout: ConllLayout, schemes: Mapping[str, str], max_per_kind: int
) -> CheckedFile:
    if foreign := find_foreign_format(path):
        checked = CheckedFile(str(path))
        checked.errors.add(foreign)
        return checked
    if path.is_dir():
        checked = CheckedFile(str(path))
        checked.errors.add(
            CorpusError("the folder has no files", file=str(path), expected="a file, or a folder of files")
        )
        return checked
    in_conllu = is_conllu(path)
    if in_conllu:
        schemes = {}
    checked = _scan_file(path, layout, schemes, in_conllu, max_per_kind)
    failed = checked.errors.counts[WRONG_WIDTH]
    if failed and failed >= NEARLY_ALL * (failed + sum(checked.lengths)) and not in_conllu:
        error, found = describe_lines(path, layout, checked)
        if found is not None:
            checked = _check_file(path, found, schemes, max_per_kind)
            checked.errors.replace((), error)
        else:
            checked.errors.replace({WRONG_WIDTH}, error)
            checked.tags.clear()  # The few lines that fit by chance are not comparable with other files.
        return checked
    other_schemes = {
        column: scheme for column in schemes if (scheme := find_scheme(checked, column)) is not None
    }
    if other_schemes:
        original, checked = (
            checked,
            _scan_file(path, layout, {**schemes, **other_schemes}, False, max_per_kind),
        )
        for column, scheme in other_schemes.items():
            checked.errors.replace((), scheme_error(original, column, scheme))
    for column in list(checked.schemes):
        replace_foreign_tags(path, layout, column, checked)
    return checked


def _scan_file(
    path: Path, layout: ConllLayout, schemes: Mapping[str, str], in_conllu: bool, max_per_kind: int
) -> CheckedFile:
    tag_columns = [column for column in layout.columns if column not in ("token", IGNORED_COLUMN)]
    if in_conllu:
        tag_columns = list(CONLLU_TAG_COLUMNS)
    checked = CheckedFile(str(path), Findings(max_per_kind), Findings(max_per_kind), dict(schemes))
    try:
        for block in scan_blocks(path, layout=ConlluLayout() if in_conllu else layout):
            if isinstance(block, CorpusError):
                checked.errors.add(block)
            else:
                checked.errors.add(*_find_tag_errors(block, checked))
                checked.warnings.add(*_find_suspicious(block))
                _count(block, tag_columns, checked)
    except CorpusError as error:
        checked.errors.add(error)
    return checked


def _count(block: Block, tag_columns: Sequence[str], checked: CheckedFile) -> None:
    tokens = block.column("token")
    line = block.lines[0]
    checked.lines.append(line)
    checked.lengths.append(len(tokens))
    for column in tag_columns:
        tags = block.column(column)
        checked.tags.setdefault(column, Counter()).update(tags)
        lines = checked.tag_lines.setdefault(column, {})
        for row, tag in zip(block.lines, tags, strict=True):
            lines.setdefault(tag, row)
        if column in checked.schemes:
            spans = tags_to_spans(tags, scheme=checked.schemes[column], lenient=True)
            checked.spans.setdefault(column, Counter()).update(entity_type for entity_type, _, _ in spans)
            checked.with_spans[column] += any(tag != "O" for tag in tags)
    if not block.broken and checked.first_lines.setdefault(hash(tokens), line) != line:
        checked.repeated.append(line)


def _find_tag_errors(block: Block, checked: CheckedFile) -> Iterator[CorpusError]:
    for column, scheme in checked.schemes.items():
        tags = block.column(column)
        fitting = checked.fitting.setdefault(column, Counter())
        is_valid = True
        for problem in find_tag_problems(tags, scheme=scheme):
            # In a block with missing rows, neighbouring tags are not always neighbours in the file.
            if not block.broken or not is_valid_tag(tags[problem.position], scheme=scheme):
                is_valid = False
                yield tag_error(block, problem, tag_column=column, tag_scheme=scheme)
        if not is_valid:
            checked.failed[column] += 1
            fitting.update(
                {other: validate_tags(tags, scheme=other) is None for other in (*TAG_SCHEMES, "BILOU")}
            )


def _find_suspicious(block: Block) -> Iterator[CorpusError]:
    for row, token in enumerate(block.column("token")):
        if not token.isascii() and (match := _SUSPICIOUS.search(token)):
            yield block.error(
                "suspicious encoding",
                row=row,
                column="token",
                expected="text decoded with the encoding that it was written in",
                received=f"{match.group()!r} in {token!r}",
                remedy="create the file again from its source, in UTF-8",
            )


def _find_repeated(checked: CheckedFile, earlier: Iterable[CheckedFile]) -> Iterator[CorpusError]:
    if checked.repeated:
        yield CorpusError(
            "duplicate sentences in this file",
            file=checked.file,
            line=checked.repeated[0],
            received=f"{len(checked.repeated)} of {len(checked.lines)}, starting here",
        )
    for other in earlier:
        shared = [line for key, line in checked.first_lines.items() if key in other.first_lines]
        if shared:
            yield CorpusError(
                f"sentences that are also in {other.file}",
                file=checked.file,
                line=min(shared),
                received=f"{len(shared)} of {len(checked.first_lines)} distinct sentences, starting here",
                remedy="remove them from one file: scores on sentences seen in training are too high",
            )


def _find_long(checked: CheckedFile) -> Iterator[CorpusError]:
    ranked = sorted(checked.lengths)
    usual = ranked[(99 * len(ranked) - 1) // 100] if ranked else 0
    limit = max(_LONG_AT_LEAST, _LONG_TIMES * usual)
    for line, length in zip(checked.lines, checked.lengths, strict=True):
        if length > limit:
            yield CorpusError(
                "unusually long sentence",
                file=checked.file,
                line=line,
                expected=f"at most {limit} tokens, because 99 % of the sentences have at most {usual}",
                received=f"{length} tokens",
                remedy="check that there is a blank line after each sentence",
            )


def _find_lone_tags(checked: CheckedFile, others: Sequence[CheckedFile]) -> Iterator[CorpusError]:
    for column, counts in checked.tags.items():
        compared = [other.tags[column] for other in others if column in other.tags]
        for tag in sorted(counts):
            if compared and not any(tag in other for other in compared):
                yield CorpusError(
                    f"tag in column {column} that no other file contains",
                    file=checked.file,
                    line=checked.tag_lines[column][tag],
                    received=f"{tag}, {count_of(counts[tag], 'time')}, starting here",
                    remedy="check its spelling",
                )


def _add_suspicious_spellings(files: Sequence[CheckedFile]) -> None:
    for column in dict.fromkeys(column for checked in files for column in checked.tags):
        counts: Counter[str] = Counter()
        for checked in files:
            counts.update(checked.spans.get(column) or checked.tags.get(column, Counter()))
        for name, reason in find_suspicious_spellings(counts):
            _add_spelling(files, column, name, reason)


def _add_spelling(files: Sequence[CheckedFile], column: str, name: str, reason: str) -> None:
    """Add a warning at the first place of a tag, or of a tag with that entity type."""
    for checked in files:
        is_span = column in checked.schemes
        lines = [
            line
            for tag, line in checked.tag_lines.get(column, {}).items()
            if (split_tag(tag)[1] if is_span else tag) == name
        ]
        if lines:
            checked.warnings.add(
                CorpusError(
                    f"suspicious {'entity type' if is_span else 'tag'} in column {column}",
                    file=checked.file,
                    line=min(lines),
                    received=f"{name!r}: {reason}",
                    remedy="check its spelling",
                )
            )
            return
