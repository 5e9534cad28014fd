"""Tag schemes: how tags (`B-PER`, `I-PER`, `O`) encode spans, and conversion between schemes.

- `IOB1`: `I-` on every token of a span, except `B-` on the first token of a span that directly follows
  another span of the same type.
- `IOB2`: `B-` on a span's first token, `I-` on the others.
- `BIOES`: as IOB2, with `E-` on the last token and `S-` on a span of one token.
- `BILOU`: as BIOES, with the letters `L` and `U` instead of `E` and `S`.

A set of spans has exactly one valid encoding in each scheme, so conversions round-trip exactly.
The entity type is everything after the first hyphen and may itself contain hyphens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from seqlab.errors import CorpusError

PADDING_ID, UNKNOWN_ID = 0, 1
PADDING, UNKNOWN = "<pad>", "<unk>"
NUM_RESERVED = 2
"""The number of reserved entries at the start of every vocabulary."""

TAG_SCHEMES = ("IOB1", "IOB2", "BIOES")

_ALIASES = {"BIO": "IOB2", "IOBES": "BIOES"}
_PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}
_LAST_AND_SINGLE = {"BIOES": ("E", "S"), "BILOU": ("L", "U")}
_BILOU_TO_BIOES = {"L": "E", "U": "S"}

Span = tuple[str, int, int]


class TagProblem(NamedTuple):
    """An invalid tag or transition.

    Args:
        position: the 0-based position of the tag.
        expected: what would be valid at this position.
        received: the tag, with the previous tag if the transition is invalid.
    """

    position: int
    expected: str
    received: str


@dataclass(frozen=True, slots=True)
class TransitionConstraints:
    """Which tags may start, end and follow each other, for a vocabulary of K tags.

    Args:
        start: shape (K,), True if a sentence may start with the tag.
        end: shape (K,), True if a sentence may end with the tag.
        transitions: shape (K, K), `transitions[i][j]` is True if tag j may follow tag i.
    """

    start: list[bool]
    end: list[bool]
    transitions: list[list[bool]]


def canonical_tag_scheme(scheme: str) -> str:
    """Return the canonical name of a scheme: IOB2 for `BIO`, BIOES for `IOBES`.

    Raises:
        CorpusError: unknown scheme.
    """
    name = _ALIASES.get(scheme, scheme)
    if name not in _PREFIXES:
        raise CorpusError(
            "unknown tag scheme",
            expected="one of IOB1, IOB2 (or BIO), BIOES (or IOBES), BILOU",
            received=repr(scheme),
        )
    return name


def is_valid_tag(tag: str, *, scheme: str) -> bool:
    """Return whether a single tag belongs to the scheme: `O`, or a prefix, a hyphen and an entity type."""
    prefix, hyphen, entity_type = tag.partition("-")
    if not hyphen:
        return tag == "O"
    return len(prefix) == 1 and prefix in _PREFIXES[canonical_tag_scheme(scheme)] and bool(entity_type)


@lru_cache(maxsize=65536)
def split_tag(tag: str) -> tuple[str, str]:
    """Split any tag into `(prefix, entity_type)`, with a prefix of BIOES or `O`.

    The reading is lenient. `L` and `U` become `E` and `S`, and an unknown prefix before a type becomes `I`.
    A tag without a type, such as `NOUN` or `<unk>`, becomes `("O", "")`.
    """
    prefix, _, entity_type = tag.partition("-")
    prefix = _BILOU_TO_BIOES.get(prefix, prefix)
    if prefix in ("B", "I", "E", "S"):
        return prefix, entity_type
    return ("I", entity_type) if entity_type and prefix != "O" else ("O", "")


def validate_tags(tags: Sequence[str], *, scheme: str) -> TagProblem | None:
    """Return the first problem in a sentence's tags (see `find_tag_problems`), or None if they are valid."""
    return next(find_tag_problems(tags, scheme=scheme), None)


def find_tag_problems(tags: Sequence[str], *, scheme: str) -> Iterator[TagProblem]:
    """Yield every invalid tag, and every invalid transition between valid tags, of one sentence.

    Raises:
        CorpusError: unknown scheme.
    """
    scheme = canonical_tag_scheme(scheme)
    previous, previous_is_valid = "O", True
    for position, tag in enumerate(tags):
        expected = _expected_instead(previous, tag, scheme)
        is_valid = expected is None or is_valid_tag(tag, scheme=scheme)
        if expected is not None and (previous_is_valid or not is_valid):
            place = f"after {previous}" if position else "at the start of a sentence"
            yield TagProblem(position, expected, f"{tag} {place}" if is_valid else repr(tag))
        previous, previous_is_valid = tag, is_valid
    if previous_is_valid and (expected := _expected_instead(previous, "O", scheme)) is not None:
        yield TagProblem(len(tags) - 1, expected, f"the end of the sentence after {previous}")


def tags_to_spans(tags: Sequence[str], *, scheme: str, lenient: bool = False) -> list[Span]:
    """Decode one sentence's tags into spans.

    If `lenient`, invalid sequences are decoded like in the evaluation script of the CoNLL shared tasks (Tjong
    Kim Sang and Buchholz 2000), in the same way for all schemes. A span starts at `B` and `S`, after `E`, `S`
    and `O`, and where the type changes. It ends before the next span, after `E` and `S`, and before `O`.
    Valid sequences have the same spans in both modes.

    Returns:
        `(entity_type, start, end)` in order, end exclusive.

    Raises:
        CorpusError: unknown scheme, or the tags are invalid and `lenient` is False.
    """
    scheme = canonical_tag_scheme(scheme)
    if not lenient and (problem := validate_tags(tags, scheme=scheme)) is not None:
        raise _invalid(problem, scheme)
    spans: list[Span] = []
    start = 0
    previous_prefix, previous_type = "O", ""
    for index, tag in enumerate(tags):
        prefix, entity_type = split_tag(tag)
        continues = prefix in "IE" and previous_prefix in "BI" and entity_type == previous_type
        if not continues:
            if previous_prefix != "O":
                spans.append((previous_type, start, index))
            start = index
        previous_prefix, previous_type = prefix, entity_type
    if previous_prefix != "O":
        spans.append((previous_type, start, len(tags)))
    return spans


def spans_to_tags(spans: Iterable[Span], *, length: int, scheme: str) -> tuple[str, ...]:
    """Encode spans, `(entity_type, start, end)` in any order, as the tags of a sentence of `length` tokens.

    Raises:
        CorpusError: unknown scheme.
        ValueError: a span has no type or no tokens, exceeds the sentence, or overlaps another span.
    """
    scheme = canonical_tag_scheme(scheme)
    tags = ["O"] * length
    previous_type, previous_end = "", 0
    for entity_type, start, end in sorted(spans, key=lambda span: span[1]):
        if not entity_type or not previous_end <= start < end <= length:
            raise ValueError(
                f"invalid span {(entity_type, start, end)}: spans need a type and at least one token, must "
                f"not overlap, and must lie within the sentence of {length} tokens"
            )
        follows_same_type = entity_type == previous_type and start == previous_end
        for offset, prefix in enumerate(_span_prefixes(end - start, scheme, follows_same_type)):
            tags[start + offset] = f"{prefix}-{entity_type}"
        previous_type, previous_end = entity_type, end
    return tuple(tags)


def convert_tags(tags: Sequence[str], *, source: str, target: str) -> tuple[str, ...]:
    """Convert one sentence's tags from the scheme `source` to the scheme `target`.

    Raises:
        CorpusError: unknown scheme, or the tags are invalid in `source`.
    """
    return spans_to_tags(tags_to_spans(tags, scheme=source), length=len(tags), scheme=target)


def find_unreadable_tag(tags: Sequence[str]) -> TagProblem | None:
    """Return the first tag that belongs to no scheme (`PER`, `X-PER`, `B-`) and that cannot be repaired."""
    for position, tag in enumerate(tags):
        if not any(is_valid_tag(tag, scheme=scheme) for scheme in ("BIOES", "BILOU")):
            return TagProblem(position, "O, or B, I, E, S, L or U, a hyphen and an entity type", repr(tag))
    return None


def repair_tags(tags: Sequence[str], *, scheme: str) -> tuple[tuple[str, ...], int]:
    """Encode the spans that lenient decoding finds as valid tags. Return them and the number of changes.

    Tags that belong to no scheme (see `find_unreadable_tag`) must be excluded before.
    """
    spans = tags_to_spans(tags, scheme=scheme, lenient=True)
    repaired = spans_to_tags(spans, length=len(tags), scheme=scheme)
    return repaired, sum(old != new for old, new in zip(tags, repaired, strict=True))


def transition_constraints(tag_names: Sequence[str], *, scheme: str | None) -> TransitionConstraints:
    """Tabulate the transitions that a scheme allows.

    Args:
        tag_names: a tag vocabulary of K entries. The reserved entries `<pad>` and `<unk>` are never allowed.
        scheme: the tag scheme, or None if the tags do not encode spans and any tag may follow any other.

    Raises:
        CorpusError: unknown scheme, or a tag that does not belong to it.
    """
    tags = tag_names[NUM_RESERVED:]
    if scheme is not None:
        scheme = canonical_tag_scheme(scheme)
        for position, tag in enumerate(tags, start=NUM_RESERVED):
            if not is_valid_tag(tag, scheme=scheme):
                raise _invalid(TagProblem(position, _expected_tag(scheme), repr(tag)), scheme)

    def allowed(previous: str, tag: str) -> bool:
        return scheme is None or _expected_instead(previous, tag, scheme) is None

    reserved = [False] * NUM_RESERVED
    return TransitionConstraints(
        start=reserved + [allowed("O", tag) for tag in tags],
        end=reserved + [allowed(tag, "O") for tag in tags],
        transitions=[[False] * len(tag_names) for _ in reserved]
        + [reserved + [allowed(previous, tag) for tag in tags] for previous in tags],
    )


@lru_cache(maxsize=65536)
def _expected_instead(previous: str, tag: str, scheme: str) -> str | None:
    """Return what is valid instead of `tag` after `previous`, or None if `tag` is valid there.

    The start and the end of a sentence allow the same transitions as `O`, so callers pass `O` for both.
    """
    if not is_valid_tag(tag, scheme=scheme):
        return _expected_tag(scheme)
    previous_prefix, previous_type = split_tag(previous)
    prefix, entity_type = split_tag(tag)
    same_type = previous_prefix != "O" and entity_type == previous_type
    if scheme == "IOB1":
        if prefix == "B" and not same_type:
            return f"I-{entity_type}, or B-{entity_type} after I-{entity_type} or B-{entity_type}"
    elif scheme == "IOB2":
        if prefix == "I" and not same_type:
            return f"B-{entity_type}, or I-{entity_type} after B-{entity_type} or I-{entity_type}"
    else:
        last, single = _LAST_AND_SINGLE[scheme]
        if previous_prefix in "BI" and not (prefix in "IE" and same_type):
            return f"I-{previous_type} or {last}-{previous_type} after {previous}"
        if previous_prefix not in "BI" and prefix in "IE":
            return f"O, B- or {single}- outside a span"
    return None


def _span_prefixes(length: int, scheme: str, follows_same_type: bool) -> str:
    """Return the prefixes of one span, one letter per token."""
    if scheme in ("IOB1", "IOB2"):
        return ("I" if scheme == "IOB1" and not follows_same_type else "B") + "I" * (length - 1)
    last, single = _LAST_AND_SINGLE[scheme]
    return single if length == 1 else "B" + "I" * (length - 2) + last


def _expected_tag(scheme: str) -> str:
    return f"O, or one of {', '.join(_PREFIXES[scheme])}, a hyphen and an entity type ({scheme})"


def _invalid(problem: TagProblem, scheme: str) -> CorpusError:
    return CorpusError(
        f"tag {problem.position + 1} is not valid in {scheme}",
        expected=problem.expected,
        received=problem.received,
        remedy="set the scheme that the tags are in, or set tag_repair to repair them",
    )
