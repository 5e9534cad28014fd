"""What a file is instead, where nearly all of its lines or sentences fail alike."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from itertools import islice
from pathlib import Path

from seqlab.corpus.blocks import Block, scan_blocks
from seqlab.corpus.conll import IGNORED_COLUMN, SEPARATOR_NAMES, SEPARATORS, ConllLayout, find_layout
from seqlab.corpus.conllu import CONLLU_COLUMNS
from seqlab.corpus.file_formats import JSON_LINES, foreign_format_error
from seqlab.corpus.findings import CheckedFile
from seqlab.corpus.lines import scan_lines
from seqlab.corpus.tag_spellings import describe_foreign_tags
from seqlab.errors import CorpusError
from seqlab.tags import find_unreadable_tag

WRONG_WIDTH = "wrong number of columns"
NEARLY_ALL = 0.9
_FAILED_AT_LEAST = 3  # sentences that are invalid, before another scheme is suggested
_BLOCKS_LOOKED_AT = 200


def describe_lines(
    path: Path, layout: ConllLayout, checked: CheckedFile
) -> tuple[CorpusError, ConllLayout | None]:
    """Describe a file in which nearly all lines have the wrong number of columns.

    Returns:
        An error that says what the lines are, and the layout in which they have the right number of columns,
        or None.
    """
    failed = {error.line: error for error in checked.errors.listed if error.what == WRONG_WIDTH}
    first = failed[min(failed)]
    lines = islice(enumerate(scan_lines(path), start=1), max(failed))
    texts = [str(text) for number, text in lines if number in failed]
    if all(text.lstrip().startswith("{") for text in texts):
        return foreign_format_error(path, JSON_LINES), None
    found = find_layout(texts, layout)
    if found is None or found == (layout.separator, len(layout.columns)):
        number = checked.errors.counts[WRONG_WIDTH]
        return CorpusError(
            f"{number:,} lines are not {len(layout.columns)} columns separated by "
            f"{SEPARATORS[layout.separator]}",
            file=checked.file,
            line=first.line,
            expected=first.expected,
            received=f"lines such as {first.received.partition(': ')[2]}",
            remedy="check that this is the intended file; plain text has no tags",
        ), None
    separator, width = found
    settings = []
    if separator != layout.separator:
        name = SEPARATOR_NAMES[separator]
        settings.append(f"set corpus.files.separator to '{name}' (or --separator {name})")
    if width != len(layout.columns):
        guess = _guess_columns(path, replace(layout, separator=separator, columns=_numbered(width)))
        example = f", for example {guess}" if guess else ""
        settings.append(f"list the {width} columns in corpus.files.columns (or --columns){example}")
    if found == ("\t", len(CONLLU_COLUMNS)):
        settings = ["add .conllu to the file's name if it is CoNLL-U, or " + " and ".join(settings)]
    error = CorpusError(
        f"this looks like {width} columns separated by {SEPARATORS[separator]}",
        file=checked.file,
        line=first.line,
        expected=first.expected,
        received=first.received.partition(": ")[2],
        remedy=" and ".join(settings),
    )
    return error, replace(layout, separator=separator) if width == len(layout.columns) else None


def find_scheme(checked: CheckedFile, column: str) -> str | None:
    """Return the scheme that fits nearly all sentences that are invalid, if nearly all with spans are."""
    failed = checked.failed[column]
    if failed < max(_FAILED_AT_LEAST, NEARLY_ALL * checked.with_spans[column]):
        return None
    fitting = checked.fitting[column]
    best = max(fitting, key=fitting.__getitem__)
    return best if fitting[best] >= NEARLY_ALL * failed else None


def scheme_error(checked: CheckedFile, column: str, scheme: str) -> CorpusError:
    """Return the error for a column whose tags are in another scheme than configured."""
    configured = checked.schemes[column]
    first = next(
        error for error in checked.errors.listed if error.what.endswith(f"in column {column} ({configured})")
    )
    return CorpusError(
        f"the tags in column {column} look like {scheme}, not {configured}",
        file=checked.file,
        line=first.line,
        column=first.column,
        received=f"{first.received}; {checked.failed[column]:,} of {checked.with_spans[column]:,} "
        f"sentences with spans are invalid in {configured}",
        remedy=f"set corpus.files.tag_scheme to {scheme} (or --tag-scheme {scheme})",
    )


def replace_foreign_tags(path: Path, layout: ConllLayout, column: str, checked: CheckedFile) -> None:
    """Replace the errors about a column's tags by one error if nearly all of them belong to no scheme."""
    scheme = checked.schemes[column]
    kind = f"invalid tag in column {column} ({scheme})"
    counts = {tag: count for tag, count in checked.tags.get(column, {}).items() if tag != "O"}
    foreign = {tag: count for tag, count in counts.items() if find_unreadable_tag([tag])}
    failed = sum(foreign.values())
    if failed < _FAILED_AT_LEAST or failed < NEARLY_ALL * sum(counts.values()):
        return
    first = next(error for error in checked.errors.listed if error.what == kind)
    shown = sorted(foreign, key=lambda tag: (-foreign[tag], tag))[:5]
    other = _find_span_column(path, layout)
    if other is not None and layout.columns[other] != column:
        expected = f"spans; column {other + 1} contains some"
        remedy = f"list the columns in their order: call column {other + 1} {column}"
    else:
        expected = describe_foreign_tags(foreign)
        remedy = "rewrite the tags; if they are no spans, read them with a task whose tag_scheme is null"
    error = CorpusError(
        f"the tags in column {column} belong to no tag scheme",
        file=checked.file,
        line=first.line,
        column=first.column,
        expected=expected,
        received=f"{', '.join(shown)}; {failed:,} of {sum(counts.values()):,} tags other than O",
        remedy=remedy,
    )
    checked.errors.replace({kind}, error)
    del checked.schemes[column], checked.spans[column]


def _guess_columns(path: Path, layout: ConllLayout) -> str:
    """Return names for the columns of a file with spans, such as `_,token,ner`, or an empty text."""
    rows = _first_rows(path, layout)
    values = [{row[index] for row in rows} for index in range(len(layout.columns))]
    spans = next((index for index, tags in enumerate(values) if _are_spans(tags)), None)
    others = [
        index for index in range(len(values)) if index != spans and not all(map(str.isdigit, values[index]))
    ]
    if spans is None or not others:
        return ""
    token = max(others, key=lambda index: len(values[index]))
    names = {token: "token", spans: "ner"}
    return ",".join(names.get(index, IGNORED_COLUMN) for index in range(len(values)))


def _find_span_column(path: Path, layout: ConllLayout) -> int | None:
    """Return the index of the first column in which all tags at the start of the file are spans, or None."""
    rows = _first_rows(path, replace(layout, columns=_numbered(len(layout.columns))))
    columns = range(len(layout.columns))
    return next((index for index in columns if _are_spans({row[index] for row in rows})), None)


def _numbered(width: int) -> tuple[str, ...]:
    return ("token", *map(str, range(1, width)))


def _first_rows(path: Path, layout: ConllLayout) -> list[list[str]]:
    blocks = islice(scan_blocks(path, layout=layout), _BLOCKS_LOOKED_AT)
    return [row for block in blocks if isinstance(block, Block) for row in block.rows]


def _are_spans(tags: Set[str]) -> bool:
    return bool(tags - {"O"}) and find_unreadable_tag(sorted(tags)) is None
