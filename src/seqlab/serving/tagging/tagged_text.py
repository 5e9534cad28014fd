"""Tagged text: what a tagger returns, whatever form of the export it uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from seqlab.errors import SeqlabError
from seqlab.tags import Span, canonical_tag_scheme, spans_to_tags

DEFAULT_TAG_SCHEME = "IOB2"
"""The scheme of tags that leave the project, whatever scheme the model learned."""


class TaggedToken(NamedTuple):
    """A token, its offsets in the text in characters (end exclusive), its tag, and the tag's probability."""

    text: str
    start: int
    end: int
    tag: str
    probability: float


class TaggedSpan(NamedTuple):
    """An entity: its type, text and offsets in characters, and its tokens; ends are exclusive."""

    entity_type: str
    text: str
    start: int
    end: int
    start_token: int
    end_token: int


@dataclass(frozen=True)
class TaggedText:
    """A text with its tokens and spans; `spans` is None if tags do not encode spans."""

    text: str
    tokens: list[TaggedToken]
    spans: list[TaggedSpan] | None

    @property
    def tags(self) -> list[str]:
        """The tags of the tokens."""
        return [token.tag for token in self.tokens]

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        # Imported by name: the export stage depends on this module, but not on how a text is shown.
        formats = import_module("seqlab.serving.tagging.tag_formats")
        return f"<p>{formats.as_html(self)}</p>"


class TextTagger(Protocol):
    """A loaded export; `config` is the content of its `config.json`."""

    config: dict[str, Any]

    def tag(self, texts: Sequence[str], *, tokenized: bool = False) -> list[TaggedText]:
        """Tag raw sentences; if `tokenized`, tokens are separated by blanks alone."""
        ...

    def tag_sentences(self, sentences: Sequence[Sequence[str]]) -> list[TaggedText]:
        """Tag tokens; the text of the result is the tokens joined by blanks."""
        ...


def output_tag_scheme(config: dict[str, Any], requested: str | None) -> str:
    """Return the scheme in which a tagger writes tags: the requested one, or IOB2.

    Raises:
        SeqlabError: the scheme is unknown, or the tagger's tags do not encode spans.
    """
    if requested is None:
        return DEFAULT_TAG_SCHEME
    if config["tag_scheme"] is None:
        raise SeqlabError(
            "the tags of this tagger do not encode spans, so they have no scheme",
            where=f"task {config['task']}",
            expected="no tag scheme",
            received=requested,
            remedy="leave out --tag-scheme",
        )
    return canonical_tag_scheme(requested)


def make_tagged_texts(
    texts: Sequence[str],
    columns: Sequence[Sequence[Any]],
    row_lengths: Sequence[int],
    spans: Sequence[Sequence[Span]] | None,
    *,
    tag_scheme: str,
) -> list[TaggedText]:
    """Return tagged texts. Tags are written from the spans, if there are spans.

    Args:
        texts: B texts.
        columns: of all N tokens, concatenated: forms, starts, ends, tags and probabilities. The tags are
            ignored if there are spans.
        row_lengths: tokens of each text.
        spans: of each text, `(entity_type, start, end)` in tokens; None if tags do not encode spans.
        tag_scheme: the scheme of the written tags.
    """
    forms, starts, ends, tags, probabilities = columns
    if spans is not None:
        tags = [
            tag
            for found, length in zip(spans, row_lengths, strict=True)
            for tag in spans_to_tags(found, length=length, scheme=tag_scheme)
        ]
    tokens = list(map(TaggedToken._make, zip(forms, starts, ends, tags, probabilities, strict=True)))
    tagged, stop = [], 0
    for row, (text, length) in enumerate(zip(texts, row_lengths, strict=True)):
        first, stop = stop, stop + length
        found = (
            None
            if spans is None
            else [
                TaggedSpan(
                    kind,
                    text[starts[first + a] : ends[first + b - 1]],
                    starts[first + a],
                    ends[first + b - 1],
                    a,
                    b,
                )
                for kind, a, b in spans[row]
            ]
        )
        tagged.append(TaggedText(text, tokens[first:stop], found))
    return tagged


def join_tokens(sentences: Sequence[Sequence[str]]) -> list[str]:
    """Return the text of each sentence: its tokens joined by blanks.

    Raises:
        SeqlabError: a token is empty or not a string.
    """
    for number, tokens in enumerate(sentences, start=1):
        for position, token in enumerate(tokens, start=1):
            if not isinstance(token, str) or not token:
                raise SeqlabError(
                    "this is not a valid token",
                    where=f"sentence {number}, token {position}",
                    expected="a string that is not empty",
                    received=repr(token),
                )
    return [" ".join(tokens) for tokens in sentences]


def split_at_blanks(texts: Sequence[str]) -> list[list[str]]:
    """Return the tokens of texts whose tokens are separated by blanks (U+0020) alone."""
    return [[token for token in text.split(" ") if token] for text in texts]


def find_offsets(text: str, tokens: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the starts and ends in characters of tokens that occur in the text in this order."""
    starts: list[int] = []
    ends = [0]
    for token in tokens:
        starts.append(text.index(token, ends[-1]))
        ends.append(starts[-1] + len(token))
    return starts, ends[1:]
