"""Tag schemes: how tags (`B-PER`, `I-PER`, `O`) spell spans, and how to get from one to another.

Three schemes, and one more spelling of the third:

- `IOB1`: `I-` inside; `B-` only on a span that follows another of its type without a gap.
- `IOB2`: `B-` on a span's first token, `I-` on the others.
- `BIOES`: as IOB2, with `E-` on the last token and `S-` on a span of one token.
- `BILOU`: BIOES with the letters `L` and `U` for `E` and `S`.

Each set of spans has exactly one valid spelling in each scheme, so conversions round-trip exactly.
An entity type is all that follows the first hyphen, and may contain hyphens itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from seqlab.errors import CorpusError

TAG_SCHEMES = ("IOB1", "IOB2", "BIOES")

_ALIASES = {"BIO": "IOB2", "IOBES": "BIOES"}
_PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}
_BILOU_TO_BIOES = {"L": "E", "U": "S"}
_BIOES_TO_BILOU = {"E": "L", "S": "U"}
_NUM_SPECIAL_ENTRIES = 2  # "<pad>" and "<unk>" lead every tag vocabulary

Span = tuple[str, int, int]


class TagProblem(NamedTuple):
    """The first thing wrong in a sequence of tags.

    Args:
        position: the 0-based position of the tag.
        expected: what could have stood there.
        received: what stands there.
    """

    position: int
    expected: str
    received: str


@dataclass(frozen=True, slots=True)
class TransitionConstraints:
    """Which tags may begin, end and follow each other, for a vocabulary of K tags.

    Args:
        start: shape (K,), True where a sentence may begin with the tag.
        end: shape (K,), True where a sentence may end with the tag.
        transitions: shape (K, K), `transitions[i][j]` is True where tag j may follow tag i.
    """

    start: list[bool]
    end: list[bool]
    transitions: list[list[bool]]


def canonical_tag_scheme(scheme: str) -> str:
    """Give a scheme's one name: `BIO` is IOB2 and `IOBES` is BIOES; `BILOU` keeps its own letters.

    Raises:
        CorpusError: no such scheme.
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
    """Say whether the tag, looked at alone, is one of the scheme: `O`, or a prefix, a hyphen and a type."""
    prefix, hyphen, entity_type = tag.partition("-")
    if not hyphen:
        return tag == "O"
    return len(prefix) == 1 and prefix in _PREFIXES[canonical_tag_scheme(scheme)] and bool(entity_type)


def validate_tags(tags: Sequence[str], *, scheme: str) -> TagProblem | None:
    """Find the first tag, or transition between tags, that the scheme does not allow.

    Args:
        tags: one sentence's tags.
        scheme: one of `TAG_SCHEMES`, or an alias.

    Returns:
        None where all is valid, else `(position, expected, received)`.

    Raises:
        CorpusError: no such scheme.
    """
    return next(find_tag_problems(tags, scheme=scheme), None)


def find_tag_problems(tags: Sequence[str], *, scheme: str) -> Iterator[TagProblem]:
    """Find every tag, and every transition between valid tags, that the scheme does not allow.

    Args:
        tags: one sentence's tags.
        scheme: one of `TAG_SCHEMES`, or an alias.

    Raises:
        CorpusError: no such scheme.
    """
    scheme = canonical_tag_scheme(scheme)
    previous: str | None = None
    after_invalid = False
    for position, tag in enumerate(tags):
        expected = _expected_instead(previous, tag, scheme)
        if expected is None:
            after_invalid = False
        elif not is_valid_tag(tag, scheme=scheme):
            yield TagProblem(position, expected, repr(tag))
            after_invalid = True
        else:
            if not after_invalid:
                place = f"after {previous}" if position else "at the start of a sentence"
                yield TagProblem(position, expected, f"{tag} {place}")
            after_invalid = False
        previous = tag
    if previous is not None and not after_invalid:
        expected = _expected_instead(previous, None, scheme)
        if expected is not None:
            yield TagProblem(len(tags) - 1, expected, f"the end of the sentence after {previous}")


def tags_to_spans(tags: Sequence[str], *, scheme: str, lenient: bool = False) -> list[Span]:
    """Read the spans that tags spell.

    Args:
        tags: one sentence's tags.
        scheme: one of `TAG_SCHEMES`, or an alias.
        lenient: read invalid sequences too, as the evaluation script of the CoNLL shared tasks does
            (Tjong Kim Sang and Buchholz 2000): a span starts at `B` and `S`, after `E`, `S` and `O`, and
            where the type changes; it ends where the next one starts, after `E` and `S`, and before `O`.
            All schemes are read alike, and on valid sequences both readings agree.

    Returns:
        `(entity_type, start, end)` in order, end exclusive.

    Raises:
        CorpusError: the tags are not valid in the scheme, and `lenient` is False; or no such scheme.
    """
    scheme = canonical_tag_scheme(scheme)
    if not lenient and (problem := validate_tags(tags, scheme=scheme)) is not None:
        raise _invalid(problem, scheme)
    spans: list[Span] = []
    start = 0
    previous_prefix, previous_type = "O", ""
    for index, tag in enumerate(tags):
        prefix, entity_type = _read_leniently(tag)
        goes_on = prefix in "IE" and previous_prefix in "BI" and entity_type == previous_type
        if not goes_on:
            if previous_prefix != "O":
                spans.append((previous_type, start, index))
            start = index
        previous_prefix, previous_type = prefix, entity_type
    if previous_prefix != "O":
        spans.append((previous_type, start, len(tags)))
    return spans


def spans_to_tags(spans: Iterable[Span], *, length: int, scheme: str) -> tuple[str, ...]:
    """Spell spans as tags.

    Args:
        spans: `(entity_type, start, end)`, end exclusive, in any order.
        length: the number of tokens.
        scheme: one of `TAG_SCHEMES`, or an alias.

    Returns:
        `length` tags, valid in the scheme.

    Raises:
        CorpusError: no such scheme.
        ValueError: a span without a type, without tokens, outside of the sentence, or over another one.
    """
    scheme = canonical_tag_scheme(scheme)
    tags = ["O"] * length
    previous_type, previous_end = "", 0
    for entity_type, start, end in sorted(spans, key=lambda span: span[1]):
        if not entity_type or not previous_end <= start < end <= length:
            raise ValueError(f"{(entity_type, start, end)} is no span beside the others in {length} tokens")
        follows_its_like = entity_type == previous_type and start == previous_end
        for offset, prefix in enumerate(_span_prefixes(end - start, scheme, follows_its_like)):
            tags[start + offset] = f"{prefix}-{entity_type}"
        previous_type, previous_end = entity_type, end
    return tuple(tags)


def convert_tags(tags: Sequence[str], *, source: str, target: str) -> tuple[str, ...]:
    """Spell the same spans in another scheme.

    Args:
        tags: one sentence's tags, valid in `source`.
        source: the scheme they are in.
        target: the scheme that is wanted.

    Returns:
        As many tags, valid in `target`. Converting them back gives `tags` again.

    Raises:
        CorpusError: the tags are not valid in `source`, or no such scheme.
    """
    spans = tags_to_spans(tags, scheme=source)
    return spans_to_tags(spans, length=len(tags), scheme=target)


def find_unreadable_tag(tags: Sequence[str]) -> TagProblem | None:
    """Find the first tag that no scheme knows (`PER`, `X-PER`, `B-`), which no repair can read."""
    for position, tag in enumerate(tags):
        if not any(is_valid_tag(tag, scheme=scheme) for scheme in ("BIOES", "BILOU")):
            return TagProblem(position, "O, or B, I, E, S, L or U, a hyphen and an entity type", repr(tag))
    return None


def repair_tags(tags: Sequence[str], *, scheme: str) -> tuple[tuple[str, ...], int]:
    """Make tags valid without changing the spans that the CoNLL evaluation script would read in them.

    Args:
        tags: one sentence's tags; each a prefix of any scheme and a type, or `O`.
        scheme: the scheme in which they shall be valid.

    Returns:
        The valid tags, and how many of them were changed.

    Raises:
        CorpusError: a tag that no scheme knows, or no such scheme.
    """
    if validate_tags(tags, scheme=scheme) is None:
        return tuple(tags), 0
    if (problem := find_unreadable_tag(tags)) is not None:
        raise _invalid(problem, scheme)
    spans = tags_to_spans(tags, scheme=scheme, lenient=True)
    repaired = spans_to_tags(spans, length=len(tags), scheme=scheme)
    return repaired, sum(old != new for old, new in zip(tags, repaired, strict=True))


def transition_constraints(tag_names: Sequence[str], *, scheme: str | None) -> TransitionConstraints:
    """Tabulate which tags may follow each other.

    Args:
        tag_names: a tag vocabulary of K entries; entries 0 and 1 are "<pad>" and "<unk>", never allowed.
        scheme: the tag scheme, or None where tags spell no spans and any may follow any.

    Raises:
        CorpusError: a tag that is not of the scheme, or no such scheme.
    """
    if scheme is not None:
        scheme = canonical_tag_scheme(scheme)
        for index, tag in enumerate(tag_names[_NUM_SPECIAL_ENTRIES:]):
            if not is_valid_tag(tag, scheme=scheme):
                problem = TagProblem(index + _NUM_SPECIAL_ENTRIES, _expected_tag(scheme), repr(tag))
                raise _invalid(problem, scheme)

    def allowed(previous: str | None, tag: str | None) -> bool:
        return scheme is None or _expected_instead(previous, tag, scheme) is None

    special = [False] * _NUM_SPECIAL_ENTRIES
    tags = tag_names[_NUM_SPECIAL_ENTRIES:]
    return TransitionConstraints(
        start=special + [allowed(None, tag) for tag in tags],
        end=special + [allowed(tag, None) for tag in tags],
        transitions=[[False] * len(tag_names) for _ in special]
        + [special + [allowed(previous, tag) for tag in tags] for previous in tags],
    )


@lru_cache(maxsize=65536)
def _expected_instead(previous: str | None, tag: str | None, scheme: str) -> str | None:
    """Say what was expected instead of `tag` after `previous`, None where `tag` is right.

    None as a tag stands for a sentence's edge, which allows just what `O` does. `previous` is valid.
    """
    if tag is not None and not is_valid_tag(tag, scheme=scheme):
        return _expected_tag(scheme)
    previous_prefix, previous_type = _read_leniently(previous or "O")
    prefix, entity_type = _read_leniently(tag or "O")
    same_type = previous_prefix != "O" and entity_type == previous_type
    if scheme == "IOB1":
        if prefix == "B" and not same_type:
            return f"I-{entity_type}, or B-{entity_type} after I-{entity_type} or B-{entity_type}"
    elif scheme == "IOB2":
        if prefix == "I" and not same_type:
            return f"B-{entity_type}, or I-{entity_type} after B-{entity_type} or I-{entity_type}"
    else:
        single, last = ("S", "E") if scheme == "BIOES" else ("U", "L")
        if previous_prefix in "BI" and not (prefix in "IE" and same_type):
            return f"I-{previous_type} or {last}-{previous_type} after {previous}"
        if previous_prefix not in "BI" and prefix in "IE":
            return f"O, B- or {single}- where no span is open"
    return None


@lru_cache(maxsize=65536)
def _read_leniently(tag: str) -> tuple[str, str]:
    """Split a tag into a prefix of BIOES and a type; any other prefix before a type continues a span."""
    prefix, _, entity_type = tag.partition("-")
    prefix = _BILOU_TO_BIOES.get(prefix, prefix)
    if prefix in ("B", "I", "E", "S"):
        return prefix, entity_type
    return ("I", entity_type) if entity_type and prefix != "O" else ("O", "")


def _span_prefixes(length: int, scheme: str, follows_its_like: bool) -> str:
    """Spell one span's prefixes, a letter per token."""
    if scheme == "IOB1":
        return ("B" if follows_its_like else "I") + "I" * (length - 1)
    if scheme == "IOB2":
        return "B" + "I" * (length - 1)
    prefixes = "S" if length == 1 else "B" + "I" * (length - 2) + "E"
    return (
        "".join(_BIOES_TO_BILOU.get(prefix, prefix) for prefix in prefixes) if scheme == "BILOU" else prefixes
    )


def _expected_tag(scheme: str) -> str:
    return f"O, or one of {', '.join(_PREFIXES[scheme])}, a hyphen and an entity type ({scheme})"


def _invalid(problem: TagProblem, scheme: str) -> CorpusError:
    return CorpusError(
        f"tag {problem.position + 1} is not valid in {scheme}",
        expected=problem.expected,
        received=problem.received,
        remedy="name the scheme that the tags are in, or have them repaired with tag_repair",
    )
