"""Records: a text with spans by character, or tokens with tags, as other formats contain them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

from seqlab.corpus.findings import Findings, printable
from seqlab.errors import CorpusError

_TEXT_FIELDS = ("text", "data", "sentence")
_TOKEN_FIELDS = ("tokens", "words")
_SPAN_FIELDS = ("spans", "entities", "ents", "labels", "label")
_START_FIELDS = ("start", "start_offset", "begin")
_END_FIELDS = ("end", "end_offset")
_LABEL_FIELDS = ("label", "labels", "type", "entity_type", "entity_group", "tag")
_TAG_FIELD = re.compile(r"(?:(.+)_)?(tags?|labels?)|ner|pos|upos|xpos|chunks?")
_UNWRITABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class CharacterSpan(NamedTuple):
    """A labelled part of a text, by offsets in characters (code points), end exclusive."""

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TextRecord:
    """A text with spans.

    Args:
        text: the text.
        spans: its spans in any order, not checked.
        file: the file, under the name that the user knows.
        line: its 1-based line or row; 0 if the file holds one text.
        id: the record's id, or an empty text.
    """

    text: str
    spans: tuple[CharacterSpan, ...] = ()
    file: str = ""
    line: int = 0
    id: str = ""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A sentence of tokens with tags in columns; `text` is its text, or empty if it is not known."""

    tokens: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    file: str = ""
    line: int = 0
    id: str = ""
    text: str = ""


Record = TextRecord | TokenRecord
Records = Iterator[Record | CorpusError]


@dataclass(slots=True)
class Reading:
    """How to read records, and where to report what is changed.

    Args:
        column: the name of the column of tags whose field does not name one.
        warnings: receives what is left out of a record or changed in it.
        tag_names: the names of tags that are numbers, by field.
    """

    column: str
    warnings: Findings = field(default_factory=Findings)
    tag_names: Mapping[str, Sequence[str]] = field(default_factory=dict)


def parse_record(value: object, *, file: str, line: int, reading: Reading) -> Record | None:
    """Parse a record of JSON, of a dataset or of an annotation tool.

    Known are texts with spans (doccano, spaCy, Prodigy, Label Studio's JSON and JSON-MIN, `seqlab tag`) and
    tokens with tags. A pair of a text and a dict is spaCy's former training format.

    Returns:
        The record, or None if an annotator rejected it.

    Raises:
        CorpusError: the record has another form.
    """
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict):
        value = {**value[1], "text": value[0]}
    if not isinstance(value, dict):
        raise _invalid(file, line, "a record is a JSON object", repr(value))
    if value.get("answer") in ("reject", "ignore"):
        reading.warnings.add(_note("left out: the annotator rejected the text", file, line))
        return None
    if isinstance(value.get("data"), dict):
        return _parse_task(value, file, line, reading)
    name = _read_id(value.get("id"), file, line)
    tokens = _find(value, _TOKEN_FIELDS, lambda found: isinstance(found, list))
    if tokens is not None and all(isinstance(token, str) for token in tokens):
        columns = {
            column: tags
            for key in value
            if (column := column_name(key, reading.column))
            and (tags := _parse_tags(value[key], len(tokens), key, file, line, reading)) is not None
        }
        if columns:
            _check_text(tokens, file, line)
            return TokenRecord(tuple(tokens), columns, file, line, name)
    text = _find(value, _TEXT_FIELDS, lambda found: isinstance(found, str))
    if text is None:
        raise _invalid(
            file,
            line,
            "a text with spans, entities or label; or tokens with tags or ner_tags of equal length",
            f"the fields {', '.join(map(str, value)) or 'of an empty object'}",
        )
    _check_text([text], file, line)
    found = _find(value, _SPAN_FIELDS, lambda found: isinstance(found, list | dict))
    if found is None:
        if isinstance(value.get("label"), str | int):
            raise _invalid(file, line, "spans", f"the label {value['label']!r} of the whole text")
        reading.warnings.add(_note("a text without a field of spans: all its tags are O", file, line))
        found = []
    if not isinstance(found, list):
        raise _invalid(file, line, "a list of spans", repr(found))
    return TextRecord(text, _parse_spans(found, text, file, line, reading), file, line, name)


def column_name(key: object, default: str) -> str:
    """Return the column for a field: `pos` for `pos_tags`, the default for `tags`; empty if it is no tags."""
    match = _TAG_FIELD.fullmatch(key) if isinstance(key, str) else None
    if match is None or match[0] in ("entity_labels", "span_labels"):
        return ""
    return match[1] or (default if match[2] else match[0])


def is_known_field(name: str) -> bool:
    """Return whether `parse_record` may need a field."""
    return name in ("id", *_TEXT_FIELDS, *_TOKEN_FIELDS, *_SPAN_FIELDS) or bool(column_name(name, "tags"))


def clean_label(label: str, *, file: str, line: int, reading: Reading) -> str:
    """Return a label or tag with an underscore for each run of blanks, which CoNLL cannot contain.

    Raises:
        CorpusError: the label is empty.
    """
    written = _UNWRITABLE.sub("_", label.strip())
    if not written:
        raise _invalid(file, line, "a label of at least one character", repr(label))
    _check_text([label], file, line)
    if written != label:
        reading.warnings.add(_note("blanks in a label are underscores", file, line, f"{label!r}"))
    return written


def _parse_task(task: Mapping[str, Any], file: str, line: int, reading: Reading) -> TextRecord:
    """Parse a task of Label Studio's JSON export."""
    data = task["data"]
    texts = [data["text"]] if isinstance(data.get("text"), str) else []
    texts = texts or [value for value in data.values() if isinstance(value, str)]
    if len(texts) != 1:
        fields = ", ".join(map(str, data)) or "no fields"
        raise _invalid(file, line, "a task whose data has one text, or a field named text", fields)
    text = texts[0]
    _check_text(texts, file, line)
    values = []
    for result in _annotations(task, file, line, reading):
        value = result.get("value") if isinstance(result, dict) else None
        if isinstance(value, dict) and isinstance(value.get("labels"), list):
            offsets = value.get("globalOffsets")  # of HyperText, whose own offsets are relative to tags
            values.append({**value, **(offsets if isinstance(offsets, dict) else {})})
        elif isinstance(result, dict) and result.get("type") != "relation":
            reading.warnings.add(
                _note("left out: a result that is no span", file, line, str(result.get("type")))
            )
    name = _read_id(task.get("id"), file, line)
    spans = _parse_spans(values, text, file, line, reading, in_utf16=True)
    return TextRecord(text, spans, file, line, name)


def _annotations(task: Mapping[str, Any], file: str, line: int, reading: Reading) -> list[Any]:
    """Return the results of a task's first annotation that was not cancelled, or of its first prediction."""
    for key in ("annotations", "completions", "predictions"):
        found = task.get(key)
        kept = [
            annotation
            for annotation in (found if isinstance(found, list) else [])
            if isinstance(annotation, dict)
            and isinstance(annotation.get("result"), list)
            and not annotation.get("was_cancelled")
        ]
        if kept:
            if len(kept) > 1:
                received = f"{len(kept)} {key}"
                reading.warnings.add(
                    _note("more than one annotation: the first is taken", file, line, received)
                )
            results: list[Any] = kept[0]["result"]
            return results
    reading.warnings.add(_note("a text without annotations: all its tags are O", file, line))
    return []


def _parse_spans(
    values: Sequence[object], text: str, file: str, line: int, reading: Reading, *, in_utf16: bool = False
) -> tuple[CharacterSpan, ...]:
    """Parse spans. Leave out, with a warning, those that quote another text than that at their offsets.

    Annotation tools in JavaScript count a character beyond U+FFFF twice (label-studio#1347). Offsets are read
    in this way if it finds more of the quoted texts; if it finds as many, `in_utf16` decides.
    """
    parsed = [_parse_span(value, file, line, reading) for value in values]
    spans = [span for span, _ in parsed]
    if any(character > "\uffff" for character in text):
        recounted = _from_utf16(spans, text)
        found, found_recounted = (
            sum(text[span.start : span.end] == quoted for span, (_, quoted) in zip(read, parsed, strict=True))
            for read in (spans, recounted)
        )
        if recounted != spans and (found_recounted > found or (in_utf16 and found_recounted == found)):
            reading.warnings.add(_note("offsets in UTF-16 units are converted", file, line))
            spans = recounted
    kept = []
    for span, (_, quoted) in zip(spans, parsed, strict=True):
        found_text = text[max(span.start, 0) : max(span.end, 0)]
        if quoted is None or found_text == quoted:
            kept.append(span)
        else:
            received = f"{shorten(found_text)} at {span.start} to {span.end}, not {shorten(quoted)}"
            what = "left out: the text at a span's offsets differs"
            reading.warnings.add(_note(what, file, line, received))
    return tuple(kept)


def _parse_span(span: object, file: str, line: int, reading: Reading) -> tuple[CharacterSpan, str | None]:
    """Parse `[start, end, label]` or a dict. Return the span, and the text that it quotes or None."""
    start = end = label = quoted = None
    if isinstance(span, list) and len(span) == 3:
        start, end, label = span
    elif isinstance(span, dict):
        start, end, label = (
            next((span[name] for name in names if name in span), None)
            for names in (_START_FIELDS, _END_FIELDS, _LABEL_FIELDS)
        )
        quoted = span.get("text")
    if isinstance(label, list) and label:
        if len(label) > 1:
            what, received = "a span with several labels: the first is taken", ", ".join(map(str, label))
            reading.warnings.add(_note(what, file, line, received))
        label = label[0]
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        expected = "spans as [start, end, label], or objects with start, end and label"
        raise _invalid(file, line, expected, repr(span))
    label = clean_label(label, file=file, line=line, reading=reading)
    return CharacterSpan(label, start, end), quoted if isinstance(quoted, str) else None


def _from_utf16(spans: Sequence[CharacterSpan], text: str) -> list[CharacterSpan]:
    """Return the spans with offsets in code points instead of UTF-16 units."""
    units = list(accumulate((2 if character > "\uffff" else 1 for character in text), initial=0))
    return [
        CharacterSpan(label, bisect_left(units, start), bisect_left(units, end))
        for label, start, end in spans
    ]


def _parse_tags(
    values: object, length: int, key: str, file: str, line: int, reading: Reading
) -> tuple[str, ...] | None:
    if not isinstance(values, list) or any(isinstance(value, list | dict) for value in values):
        return None
    if len(values) != length:
        raise _invalid(file, line, f"as many values in {key} as tokens, {length}", str(len(values)))
    names = reading.tag_names.get(key)
    tags = []
    for value in values:
        if type(value) is int and names is not None and 0 <= value < len(names):
            tags.append(names[value])
        elif isinstance(value, str):
            tags.append(clean_label(value, file=file, line=line, reading=reading))
        else:
            raise _invalid(
                file,
                line,
                f"text in {key}; the names of tags that are numbers are in a Hugging Face dataset's folder",
                repr(value),
            )
    return tuple(tags)


def _read_id(value: object, file: str, line: int) -> str:
    """Return an id in one line, or an empty text if it is neither text nor a number."""
    name = _UNWRITABLE.sub(" ", str(value)).strip() if isinstance(value, str | int) else ""
    _check_text([name], file, line)
    return name


def _find(fields: Mapping[str, Any], names: Sequence[str], is_right: Callable[[Any], bool]) -> Any:
    return next((fields[name] for name in names if name in fields and is_right(fields[name])), None)


def _check_text(texts: Sequence[str], file: str, line: int) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise _invalid(file, line, "text", f"half a surrogate pair, {text[error.start]!r}") from error


def shorten(text: str, limit: int = 60) -> str:
    """Return a text in quotation marks, cut to a limit."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


def _note(what: str, file: str, line: int, received: str = "") -> CorpusError:
    return CorpusError(what, file=file, line=line, received=printable(received))


def _invalid(file: str, line: int, expected: str, received: str) -> CorpusError:
    return CorpusError(
        "the record cannot be read",
        file=file,
        line=line,
        expected=expected,
        received=printable(received[:200]),
    )
