"""Records to sentences of tokens with tags and offsets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from seqlab.conversion.alignment import Misaligned, align_spans
from seqlab.conversion.records import CharacterSpan, Reading, Record, TextRecord, TokenRecord, shorten
from seqlab.corpus.blocks import MAX_SENTENCE_TOKENS
from seqlab.errors import CorpusError
from seqlab.tags import find_unreadable_tag, spans_to_tags, tags_to_spans
from seqlab.text.text_tokenizer import TextTokenizer
from seqlab.text.tokenizer_rules import tokenizer_rules

_TEXTS_TOGETHER, _CHARACTERS_TOGETHER = 256, 1 << 20  # tokenised at once
_DOCUMENT_BREAK = "-DOCSTART-"
_LINE = re.compile(r"[^\r\n]+")
_BREAKS = re.compile(r"[\t\r\n\0]+")


@dataclass(frozen=True, slots=True)
class ConvertedSentence:
    """Tokens, their tags by column, and their offsets in the text in characters, end exclusive."""

    tokens: Sequence[str]
    columns: Mapping[str, Sequence[str]]
    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    file: str
    line: int
    id: str

    def spans(self, column: str) -> list[CharacterSpan]:
        """Return the spans of a column; if its tags encode none, each token is a span."""
        tags = self.columns[column]
        if find_unreadable_tag(tags) is not None:
            return [CharacterSpan(*item) for item in zip(tags, self.starts, self.ends, strict=True)]
        return [
            CharacterSpan(entity_type, self.starts[first], self.ends[last - 1])
            for entity_type, first, last in tags_to_spans(tags, scheme="IOB2", lenient=True)
        ]


def make_sentences(
    records: Iterable[Record | CorpusError],
    *,
    reading: Reading,
    tag_scheme: str = "IOB2",
    split_lines: bool = False,
    misaligned: Misaligned = "expand",
) -> Iterator[ConvertedSentence | CorpusError]:
    """Convert records to sentences, in order. Errors are passed on.

    Texts are tokenised as exported taggers do it, so that training and tagging see the same tokens.

    Args:
        records: what a reader yields.
        reading: the column for the tags of spans, and what receives warnings.
        tag_scheme: the scheme in which spans are written.
        split_lines: whether each line of a text is a sentence.
        misaligned: see `align_spans`.
    """
    tokenizer = _tokenizer()
    waiting: list[TextRecord] = []
    size = 0

    def flush() -> Iterator[ConvertedSentence | CorpusError]:
        nonlocal size
        found = tokenizer([record.text for record in waiting])
        stop = 0
        for record, length in zip(waiting, found.row_lengths.tolist(), strict=True):
            first, stop = stop, stop + length
            starts, ends = found.starts[first:stop].tolist(), found.ends[first:stop].tolist()
            tokens = found.tokens[first:stop]
            if not tokens:
                reading.warnings.add(
                    CorpusError("left out: a text without tokens", file=record.file, line=record.line)
                )
                continue
            spans = align_spans(
                record.spans,
                record.text,
                starts,
                ends,
                misaligned=misaligned,
                warnings=reading.warnings,
                file=record.file,
                line=record.line,
            )
            tags = spans_to_tags(spans, length=length, scheme=tag_scheme)
            columns = {reading.column: tags}
            yield from _checked(
                ConvertedSentence(
                    tokens, columns, record.text, starts, ends, record.file, record.line, record.id
                )
            )
        waiting.clear()
        size = 0

    for record in records:
        if isinstance(record, TextRecord):
            parts = _split(record, reading) if split_lines else [record]
            waiting += parts
            size += len(record.text)
            if len(waiting) >= _TEXTS_TOGETHER or size >= _CHARACTERS_TOGETHER:
                yield from flush()
        else:
            yield from flush()
            if isinstance(record, CorpusError):
                yield record
            elif (sentence := _from_tokens(record, reading)) is not None:
                yield from _checked(sentence)
    yield from flush()


@cache
def _tokenizer() -> TextTokenizer:
    return TextTokenizer(tokenizer_rules())


def _split(record: TextRecord, reading: Reading) -> list[TextRecord]:
    """Return the lines of a text as records; the lines of one in a file of its own are counted."""
    parts = []
    spans = list(record.spans)
    breaks, position = 0, 0
    for match in _LINE.finditer(record.text):
        breaks += record.text.count("\n", position, match.start())
        position = match.start()
        inside = [span for span in spans if match.start() <= span.start < span.end <= match.end()]
        spans = [span for span in spans if span not in inside]
        parts.append(
            TextRecord(
                match[0],
                tuple(
                    CharacterSpan(label, start - match.start(), end - match.start())
                    for label, start, end in inside
                ),
                record.file,
                record.line or breaks + 1,
                record.id,
            )
        )
    for label, start, end in spans:
        received = f"{label}, {shorten(record.text[max(start, 0) : max(end, 0)])}"
        reading.warnings.add(
            CorpusError(
                "left out: a span that is not within one line",
                file=record.file,
                line=record.line,
                received=received,
            )
        )
    return parts


def _from_tokens(record: TokenRecord, reading: Reading) -> ConvertedSentence | None:
    """Return the sentence without tokens of blanks, or None if nothing is left or it marks a document."""
    if record.tokens == (_DOCUMENT_BREAK,):
        return None
    tokens = [_BREAKS.sub(" ", token).strip(" ") for token in record.tokens]
    for token, written in zip(record.tokens, tokens, strict=True):
        if token != written:
            what = "blanks at the edges of a token are removed" if written else "left out: a token of blanks"
            reading.warnings.add(CorpusError(what, file=record.file, line=record.line, received=repr(token)))
    kept = [index for index, token in enumerate(tokens) if token]
    if not kept:
        reading.warnings.add(
            CorpusError("left out: a text without tokens", file=record.file, line=record.line)
        )
        return None
    tokens = [tokens[index] for index in kept]
    columns = {name: [tags[index] for index in kept] for name, tags in record.columns.items()}
    text, starts = record.text, _find_tokens(record.text, tokens)
    if starts is None:
        text = " ".join(tokens)
        starts = list(accumulate((len(token) + 1 for token in tokens[:-1]), initial=0))
    ends = [start + len(token) for start, token in zip(starts, tokens, strict=True)]
    return ConvertedSentence(tokens, columns, text, starts, ends, record.file, record.line, record.id)


def _find_tokens(text: str, tokens: Sequence[str]) -> list[int] | None:
    """Return where tokens begin in a text that consists of them and blanks, or None if it does not."""
    starts = []
    position = 0
    for token in tokens:
        start = text.find(token, position)
        if start < 0 or not _is_blank(text[position:start]):
            return None
        starts.append(start)
        position = start + len(token)
    return starts if text and _is_blank(text[position:]) else None


def _is_blank(text: str) -> bool:
    return all(character.isspace() or not character.isprintable() for character in text)


def _checked(sentence: ConvertedSentence) -> Iterator[ConvertedSentence | CorpusError]:
    """Yield the sentence, or an error if CoNLL cannot contain it."""
    if _DOCUMENT_BREAK in sentence.tokens:
        yield CorpusError(
            "left out: a sentence with the token that CoNLL reads as the start of a document",
            file=sentence.file,
            line=sentence.line,
            received=_DOCUMENT_BREAK,
        )
    elif len(sentence.tokens) > MAX_SENTENCE_TOKENS:
        yield CorpusError(
            "left out: the sentence is too long",
            file=sentence.file,
            line=sentence.line,
            expected=f"at most {MAX_SENTENCE_TOKENS:,} tokens",
            received=f"{len(sentence.tokens):,}",
            remedy="if each line of the text is a sentence: --sentences lines",
        )
    else:
        yield sentence
