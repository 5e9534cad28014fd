"""Checking files: all errors and warnings of a corpus in one report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path

from seqlab.corpus.blocks import Block, scan_blocks, tag_error
from seqlab.corpus.conll import IGNORED_COLUMN, SEPARATOR_NAMES, SEPARATORS, ConllLayout, find_layout
from seqlab.corpus.conllu import CONLLU_COLUMNS, CONLLU_TAG_COLUMNS, ConlluLayout
from seqlab.corpus.lines import scan_lines
from seqlab.errors import CorpusError
from seqlab.tags import canonical_tag_scheme, find_tag_problems, is_valid_tag

MAX_PER_KIND = 20  # errors or warnings that are listed for each file

# UTF-8 read as Latin-1 or Windows-1252 (Ã©, â€™), lost characters, byte order marks inside, C1 controls.
_SUSPICIOUS = re.compile("[ÃÂ][\u0080-\u00bf]|â€|[\ufffd\ufeff\u0080-\u009f]")
_LONG_AT_LEAST, _LONG_TIMES = 100, 5
_WRONG_WIDTH = "wrong number of columns"


class Findings:
    """The errors or warnings of one file.

    Attributes:
        listed: the first `MAX_PER_KIND` findings of each kind; findings with equal `what` are of one kind.
        counts: the number of findings of each kind.
    """

    def __init__(self) -> None:
        self.listed: list[CorpusError] = []
        self.counts: Counter[str] = Counter()

    def add(self, *findings: CorpusError) -> None:
        """Count the findings, and list them up to the maximum of their kind."""
        for finding in findings:
            self.counts[finding.what] += 1
            if self.counts[finding.what] <= MAX_PER_KIND:
                self.listed.append(finding)


@dataclass(slots=True)
class CheckedFile:
    """What a check found in one file.

    Args:
        file: its name.
        errors: what a corpus must not contain.
        warnings: what is allowed but suspicious.
        lines: the line of each sentence with at least one valid row.
        lengths: the number of tokens in each of these sentences.
        first_lines: the line of the first occurrence of each distinct sentence, by the hash of its tokens.
        repeated: the lines of sentences that occur earlier in the file.
        tags: the number of occurrences of each tag, by column.
        tag_lines: the line of the first occurrence of each tag, by column.
    """

    file: str
    errors: Findings = field(default_factory=Findings)
    warnings: Findings = field(default_factory=Findings)
    lines: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    first_lines: dict[int, int] = field(default_factory=dict)
    repeated: list[int] = field(default_factory=list)
    tags: dict[str, Counter[str]] = field(default_factory=dict)
    tag_lines: dict[str, dict[str, int]] = field(default_factory=dict)


def check_files(
    paths: Sequence[str | PathLike[str]], *, layout: ConllLayout, tag_schemes: Mapping[str, str]
) -> list[CheckedFile]:
    """Read files to their ends and collect all errors and warnings.

    If nearly all lines of a file have the wrong number of columns, a single error describes the layout that
    the lines have instead, and the settings for it.

    Args:
        paths: the files, each treated as a split, or folders of files. Files named `.conllu` are read as
            CoNLL-U.
        layout: the layout of the other files.
        tag_schemes: the scheme of each column whose tags encode spans.

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
    files = [_check_file(path, layout, schemes) for given in paths for path in _files_of(Path(given))]
    for index, checked in enumerate(files):
        checked.warnings.add(*_find_repeated(checked, files[:index]), *_find_long(checked))
        checked.warnings.add(*_find_lone_tags(checked, files[:index] + files[index + 1 :]))
    return files


def format_report(files: Sequence[CheckedFile]) -> str:
    """Format the result of a check: the errors and warnings of each file, one per line, then the counts.

    Lines have the form `file:line:column: what, expected ..., received ...`. A remedy is added to the first
    line that it applies to.
    """
    lines: list[str] = []
    remedies = {""}
    totals: Counter[str] = Counter()
    for checked in files:
        for label, findings in (("", checked.errors), ("warning: ", checked.warnings)):
            totals[label] += findings.counts.total()
            for finding in findings.listed:
                line = f"{finding.where}: {label}{finding.what}"
                line += f", expected {finding.expected}" if finding.expected else ""
                line += f", received {finding.received}" if finding.received else ""
                line += f"; {finding.remedy}" if finding.remedy not in remedies else ""
                remedies.add(finding.remedy)
                lines.append(line)
            for kind, count in findings.counts.items():
                if count > MAX_PER_KIND:
                    lines.append(
                        f"{checked.file}: {label}{kind}: and {count - MAX_PER_KIND} more of this kind"
                    )
    for checked in files:
        sentences, tokens = len(checked.lengths), sum(checked.lengths)
        lines.append(f"{checked.file}: {_count_of(sentences, 'sentence')}, {_count_of(tokens, 'token')}")
    lines.append(f"{_count_of(totals[''], 'error')}, {_count_of(totals['warning: '], 'warning')}")
    return "\n".join(lines)


def _count_of(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _files_of(path: Path) -> list[Path]:
    entries = sorted(path.iterdir()) if path.is_dir() else []
    return [file for file in entries if file.is_file() and not file.name.startswith(".")] or [path]


def _check_file(path: Path, layout: ConllLayout, schemes: Mapping[str, str]) -> CheckedFile:
    is_conllu = ".conllu" in path.suffixes
    tag_columns = [column for column in layout.columns if column not in ("token", IGNORED_COLUMN)]
    if is_conllu:
        tag_columns, schemes = list(CONLLU_TAG_COLUMNS), {}
    checked = CheckedFile(str(path))
    try:
        for block in scan_blocks(path, layout=ConlluLayout() if is_conllu else layout):
            if isinstance(block, CorpusError):
                checked.errors.add(block)
            else:
                checked.errors.add(*_find_tag_errors(block, schemes))
                checked.warnings.add(*_find_suspicious(block))
                _count(block, tag_columns, checked)
        failed = checked.errors.counts[_WRONG_WIDTH]
        if failed and failed >= 0.9 * (failed + sum(checked.lengths)) and not is_conllu:
            _replace_width_errors(path, layout, checked)
    except CorpusError as error:
        checked.errors.add(error)
    return checked


def _replace_width_errors(path: Path, layout: ConllLayout, checked: CheckedFile) -> None:
    """Replace the errors about the number of columns by one error that describes the actual layout."""
    failed = {error.line: error for error in checked.errors.listed if error.what == _WRONG_WIDTH}
    lines = islice(enumerate(scan_lines(path), start=1), max(failed))
    found = find_layout([str(text) for number, text in lines if number in failed], layout)
    if found is None or found == (layout.separator, len(layout.columns)):
        return
    separator, width = found
    settings = []
    if separator != layout.separator:
        name = SEPARATOR_NAMES[separator]
        settings.append(f"set corpus.files.separator to '{name}' (or --separator {name})")
    if width != len(layout.columns):
        settings.append(f"list the {width} columns in corpus.files.columns (or --columns)")
    if found == ("\t", len(CONLLU_COLUMNS)):
        settings = ["add .conllu to the file's name if it is CoNLL-U, or " + " and ".join(settings)]
    first = failed[min(failed)]
    error = CorpusError(
        f"this looks like {width} columns separated by {SEPARATORS[separator]}",
        file=checked.file,
        line=first.line,
        expected=first.expected,
        remedy=" and ".join(settings),
    )
    del checked.errors.counts[_WRONG_WIDTH]
    others = [other for other in checked.errors.listed if other.what != _WRONG_WIDTH]
    checked.errors.counts[error.what] = 1
    checked.errors.listed = [error, *others]
    checked.tags.clear()  # The few lines that fit by chance are not comparable with other files.


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
    if not block.broken and checked.first_lines.setdefault(hash(tokens), line) != line:
        checked.repeated.append(line)


def _find_tag_errors(block: Block, schemes: Mapping[str, str]) -> Iterator[CorpusError]:
    for column, scheme in schemes.items():
        tags = block.column(column)
        for problem in find_tag_problems(tags, scheme=scheme):
            # In a block with missing rows, neighbouring tags are not always neighbours in the file.
            if not block.broken or not is_valid_tag(tags[problem.position], scheme=scheme):
                yield tag_error(block, problem, tag_column=column, tag_scheme=scheme)


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
                    received=f"{tag}, {_count_of(counts[tag], 'time')}, starting here",
                    remedy="check its spelling",
                )
