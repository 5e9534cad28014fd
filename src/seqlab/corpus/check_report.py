"""The report of a check: errors, warnings and tables of tags, for a terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from seqlab.corpus.findings import MAX_PER_KIND, CheckedFile, Findings, count_of, printable
from seqlab.errors import CorpusError
from seqlab.tags import split_tag

WIDTH = 120
_RARE = 20  # occurrences
_MAX_TAGS, _MAX_TYPES, _MAX_NAME = 100, 40, 40


def format_report(files: Sequence[CheckedFile], *, max_per_kind: int = MAX_PER_KIND) -> str:
    """Format the result of a check in lines of at most 120 columns, unless a file's name is longer.

    Errors come first, then warnings, each kind together: lines of the form `file:line:column: what: received`
    with the expectation and the remedy below the first one. Tables of the tags and the counts close it.

    Args:
        files: what was found.
        max_per_kind: maximum number of errors or warnings of each kind in all files together.
    """
    lines: list[str] = []
    for label in ("", "warning: "):
        findings = [checked.warnings if label else checked.errors for checked in files]
        lines += format_findings(findings, label, max_per_kind)
    lines += _format_tags(files)
    for checked in files:
        sentences, tokens = len(checked.lengths), sum(checked.lengths)
        lines.append(f"{checked.file}: {count_of(sentences, 'sentence')}, {count_of(tokens, 'token')}")
    errors = sum(checked.errors.counts.total() for checked in files)
    warnings = sum(checked.warnings.counts.total() for checked in files)
    lines.append(f"{count_of(errors, 'error')}, {count_of(warnings, 'warning')}")
    return "\n".join(map(printable, lines))


def format_findings(findings: Sequence[Findings], label: str, max_per_kind: int) -> list[str]:
    """Format the findings of several files, each kind together, up to a maximum of each."""
    lines: list[str] = []
    counts = sum((found.counts for found in findings), Counter[str]())
    for kind in counts:
        same = [finding for found in findings for finding in found.listed if finding.what == kind]
        lines += _format_kind(same[:max_per_kind], label)
        if counts[kind] > max_per_kind:
            lines.append(f"  and {counts[kind] - max_per_kind:,} more like this")
    return lines


def _format_kind(findings: Sequence[CorpusError], label: str) -> Iterator[str]:
    shown = {""}
    for finding in findings:
        line = f"{finding.where}: {label}{finding.what}"
        below = [("expected", finding.expected), ("remedy", finding.remedy)]
        if finding.received and len(line) + len(finding.received) + 2 <= WIDTH:
            line += f": {finding.received}"
        else:
            below.insert(0, ("received", finding.received))
        yield line
        for name, text in below:
            if text not in shown:
                shown.add(text)
                yield from _wrap(f"{name}: {text}")


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _format_tags(files: Sequence[CheckedFile]) -> Iterator[str]:
    for column in dict.fromkeys(column for checked in files for column in checked.tags):
        having = [checked for checked in files if column in checked.tags]
        tags = sum((checked.tags[column] for checked in having), Counter[str]())
        scheme = having[0].schemes.get(column)
        if scheme is None:
            yield f"column {column}: {count_of(len(tags), 'tag')}, {count_of(tags.total(), 'token')}"
            yield from _grid([f"{_short(tag)} {count:,}" for tag, count in _ranked(tags)[:_MAX_TAGS]])
            if len(tags) > _MAX_TAGS:
                yield f"  and {count_of(len(tags) - _MAX_TAGS, 'rarer tag')}"
            yield from _rare(tags, "tags")
        else:
            yield from _format_spans(column, scheme, tags, having)


def _format_spans(
    column: str, scheme: str, tags: Counter[str], files: Sequence[CheckedFile]
) -> Iterator[str]:
    types = sum((checked.spans.get(column, Counter()) for checked in files), Counter[str]())
    with_spans = sum(checked.with_spans[column] for checked in files)
    sentences = sum(len(checked.lengths) for checked in files)
    found = f"{count_of(len(types), 'entity type')}, {count_of(types.total(), 'span')}"
    yield f"column {column}, {scheme}: {found} in {with_spans:,} of {count_of(sentences, 'sentence')}"
    by_type: dict[str, list[str]] = {}
    for tag, count in _ranked(tags):
        by_type.setdefault(split_tag(tag)[1], []).append(f"{_short(tag)} {count:,}")
    ranked = _ranked(types)
    width = max((len(_short(name)) for name, _ in ranked), default=0)
    digits = max((len(f"{count:,}") for _, count in ranked), default=0)
    for name, count in ranked[:_MAX_TYPES]:
        line = f"  {_short(name):{width}}  {count:>{digits},}   {', '.join(by_type.get(name, []))}"
        yield line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."
    if len(types) > _MAX_TYPES:
        yield f"  and {count_of(len(types) - _MAX_TYPES, 'rarer type')}"
    yield from _rare(types, "types")


def _rare(counts: Mapping[str, int], names: str) -> Iterator[str]:
    """Name the rare tags, unless most tags are rare, as in a small file."""
    rare = [(name, count) for name, count in _ranked(counts) if count < _RARE]
    if rare and 2 * len(rare) <= len(counts):
        shown = [f"{_short(name)} {count}" for name, count in rare[-20:]]
        more = [f"and {len(rare) - 20:,} more"] if len(rare) > 20 else []
        yield from _wrap(f"rare {names}, fewer than {_RARE} times: {', '.join([*shown, *more])}")


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _grid(entries: Sequence[str]) -> Iterator[str]:
    width = max((len(entry) for entry in entries), default=0) + 3
    per_row = max((WIDTH - 2) // width, 1)
    for start in range(0, len(entries), per_row):
        row = "".join(f"{entry:{width}}" for entry in entries[start : start + per_row])
        yield f"  {row.rstrip()}"


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 3] + "..."
