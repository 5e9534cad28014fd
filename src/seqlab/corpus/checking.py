"""Everything that is wrong or odd with files that somebody brings, without stopping at the first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from os import PathLike
from pathlib import Path

from seqlab.corpus.blocks import Block, scan_blocks, tag_error
from seqlab.corpus.conll import IGNORED_COLUMN, ConllLayout
from seqlab.corpus.conllu import CONLLU_TAG_COLUMNS, scan_conllu
from seqlab.errors import CorpusError, location
from seqlab.tags import canonical_tag_scheme, find_tag_problems, is_valid_tag

# UTF-8 read as Latin-1 or Windows-1252 (Ã©, â€™), lost characters, byte order marks inside, C1 controls.
_SUSPICIOUS = re.compile("[ÃÂ][\u0080-\u00bf]|â€|[\ufffd\ufeff\u0080-\u009f]")
_LONGEST_KEPT = 20
_LONG_TIMES = 5
_LONG_AT_LEAST = 100


@dataclass(slots=True)
class CheckedFile:
    """What a check found out about one file.

    Args:
        file: its name.
        sentences: how many could be read, in part at least.
        tokens: how many tokens those have.
        first_lines: the line of each different sentence's first occurrence, by a hash of its tokens.
        repeated: sentences that stood earlier in the file, and the line of the first of them.
        tags: for each tag column the number of each tag.
        tag_lines: for each tag column the line of each tag's first occurrence.
        lengths: how many sentences have each number of tokens.
        longest: the longest sentences' numbers of tokens and lines.
    """

    file: str
    sentences: int = 0
    tokens: int = 0
    first_lines: dict[int, int] = field(default_factory=dict)
    repeated: int = 0
    first_repeated: int = 0
    tags: dict[str, Counter[str]] = field(default_factory=dict)
    tag_lines: dict[str, dict[str, int]] = field(default_factory=dict)
    lengths: Counter[int] = field(default_factory=Counter)
    longest: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class CheckReport:
    """The outcome of a check.

    Args:
        files: what was read.
        errors: what a corpus must not have, file by file in the order of their lines.
        warnings: what is allowed and looks odd.
    """

    files: list[CheckedFile] = field(default_factory=list)
    errors: list[CorpusError] = field(default_factory=list)
    warnings: list[CorpusError] = field(default_factory=list)


def check_files(
    paths: Sequence[str | PathLike[str]],
    *,
    columns: Sequence[str],
    separator: str = "\t",
    comment_prefix: str | None = "# ",
    tag_schemes: Mapping[str, str] | None = None,
) -> CheckReport:
    """Read files to their ends and collect all problems.

    Args:
        paths: the files, each taken for a split of its own; `.conllu` files are read as CoNLL-U.
        columns: see `ConllLayout`, as for `separator` and `comment_prefix`.
        separator: what stands between columns.
        comment_prefix: what a comment starts with, or None.
        tag_schemes: the scheme of each column that spells spans.

    Raises:
        CorpusError: the layout or a scheme is none; what is wrong with the files is reported instead.
    """
    layout = ConllLayout(tuple(columns), separator, comment_prefix)
    schemes = {column: canonical_tag_scheme(scheme) for column, scheme in (tag_schemes or {}).items()}
    if unknown := sorted(set(schemes) - set(layout.columns)):
        raise CorpusError(
            "a tag scheme for a column that is not there",
            where="tag_schemes",
            expected=f"columns among {', '.join(layout.columns)}",
            received=", ".join(unknown),
        )
    report = CheckReport()
    for path in paths:
        _check_file(path, layout, schemes, report)
    for earlier, checked in enumerate(report.files):
        report.warnings += _find_repeated(checked, report.files[:earlier])
        report.warnings += _find_long(checked)
    if len(report.files) > 1:
        report.warnings += _find_lone_tags(report.files)
    return report


def format_report(report: CheckReport) -> str:
    """Write a report for people: a line `file:line:column: what, expected, received` each, then counts."""
    lines = [_format_line("", error) for error in report.errors]
    lines += [_format_line("warning: ", warning) for warning in report.warnings]
    lines += [
        f"{checked.file}: {checked.sentences} sentences, {checked.tokens} tokens" for checked in report.files
    ]
    lines.append(f"{len(report.errors)} errors, {len(report.warnings)} warnings")
    return "\n".join(lines)


def run_check(
    paths: Sequence[str | PathLike[str]],
    *,
    columns: Sequence[str],
    separator: str = "\t",
    comment_prefix: str | None = "# ",
    tag_schemes: Mapping[str, str] | None = None,
    write: Callable[[str], object] = print,
) -> int:
    """Check files, write the report and give an exit status: 1 where there are errors, 0 with warnings alone.

    Args:
        paths: as for `check_files`, like the other arguments.
        columns: the columns' names in order.
        separator: what stands between columns.
        comment_prefix: what a comment starts with, or None.
        tag_schemes: the scheme of each column that spells spans.
        write: given the report's text.
    """
    report = check_files(
        paths, columns=columns, separator=separator, comment_prefix=comment_prefix, tag_schemes=tag_schemes
    )
    write(format_report(report))
    return 1 if report.errors else 0


def _check_file(
    path: str | PathLike[str], layout: ConllLayout, schemes: Mapping[str, str], report: CheckReport
) -> None:
    is_conllu = ".conllu" in Path(path).suffixes
    tag_columns = [column for column in layout.columns if column not in ("token", IGNORED_COLUMN)]
    if is_conllu:
        tag_columns, schemes = list(CONLLU_TAG_COLUMNS), {}
    checked = CheckedFile(str(path))
    report.files.append(checked)
    try:
        for block in scan_conllu(path) if is_conllu else scan_blocks(path, layout=layout):
            if isinstance(block, CorpusError):
                report.errors.append(block)
            else:
                report.errors += _find_tag_errors(block, schemes)
                report.warnings += _find_suspicious(block)
                _count(block, tag_columns, checked)
    except CorpusError as error:
        report.errors.append(error)


def _count(block: Block, tag_columns: Sequence[str], checked: CheckedFile) -> None:
    tokens = block.column("token")
    line = block.lines[0]
    checked.sentences += 1
    checked.tokens += len(tokens)
    checked.lengths[len(tokens)] += 1
    checked.longest.append((len(tokens), line))
    if len(checked.longest) > 50 * _LONGEST_KEPT:
        checked.longest = nlargest(_LONGEST_KEPT, checked.longest)
    for column in tag_columns:
        tags = block.column(column)
        counts = checked.tags.setdefault(column, Counter())
        lines = checked.tag_lines.setdefault(column, {})
        for row, tag in enumerate(tags):
            if tag not in counts:
                lines[tag] = block.lines[row]
            counts[tag] += 1
    if block.broken:
        return
    key = hash(tokens)
    if key in checked.first_lines:
        checked.repeated += 1
        checked.first_repeated = checked.first_repeated or line
    else:
        checked.first_lines[key] = line


def _find_tag_errors(block: Block, schemes: Mapping[str, str]) -> Iterator[CorpusError]:
    for column, scheme in schemes.items():
        tags = block.column(column)
        for problem in find_tag_problems(tags, scheme=scheme):
            # Where lines are missing, what seems to follow each other may not.
            if not block.broken or not is_valid_tag(tags[problem.position], scheme=scheme):
                yield tag_error(block, problem, tag_column=column, tag_scheme=scheme)


def _find_suspicious(block: Block) -> Iterator[CorpusError]:
    for row, token in enumerate(block.column("token")):
        if not token.isascii() and (match := _SUSPICIOUS.search(token)):
            yield block.error(
                "suspicious encoding",
                row=row,
                column="token",
                expected="text that was read in the encoding it was written in",
                received=f"{match.group()!r} in {token!r}",
                remedy="make the file again from its source, in UTF-8",
            )


def _find_repeated(checked: CheckedFile, earlier: Sequence[CheckedFile]) -> Iterator[CorpusError]:
    if checked.repeated:
        yield CorpusError(
            "sentences stand more than once in this file",
            file=checked.file,
            line=checked.first_repeated,
            received=f"{checked.repeated} of {checked.sentences}, the first here",
        )
    for other in earlier:
        shared = [line for key, line in checked.first_lines.items() if key in other.first_lines]
        if shared:
            yield CorpusError(
                f"sentences stand in {other.file} too",
                file=checked.file,
                line=min(shared),
                received=f"{len(shared)} of {len(checked.first_lines)} different ones, the first here",
                remedy="scores on sentences that were trained on say little: remove them from one file",
            )


def _find_long(checked: CheckedFile) -> Iterator[CorpusError]:
    rank, usual = 0, 0
    for usual in sorted(checked.lengths):
        rank += checked.lengths[usual]
        if rank >= 0.99 * checked.sentences:
            break
    limit = max(_LONG_AT_LEAST, _LONG_TIMES * usual)
    for length, line in sorted(nlargest(_LONGEST_KEPT, checked.longest), key=lambda item: item[1]):
        if length > limit:
            yield CorpusError(
                "a sentence far longer than the rest",
                file=checked.file,
                line=line,
                expected=f"at most {limit} tokens, as 99 of 100 sentences have at most {usual}",
                received=f"{length} tokens",
                remedy="check that a blank line stands after each sentence",
            )


def _find_lone_tags(files: Sequence[CheckedFile]) -> Iterator[CorpusError]:
    for checked in files:
        for column, counts in checked.tags.items():
            others = [other for other in files if other is not checked and column in other.tags]
            for tag in sorted(counts):
                if others and not any(tag in other.tags[column] for other in others):
                    yield CorpusError(
                        f"only this file has the tag {tag} in column {column}",
                        file=checked.file,
                        line=checked.tag_lines[column][tag],
                        received=f"{counts[tag]} of them, the first here",
                        remedy="check its spelling",
                    )


def _format_line(kind: str, finding: CorpusError) -> str:
    place = location(finding.file, finding.line, finding.column)
    parts = [f"{place}: {kind}{finding.what}"]
    parts += [f"expected {finding.expected}"] if finding.expected else []
    parts += [f"received {finding.received}"] if finding.received else []
    return ", ".join(parts)
