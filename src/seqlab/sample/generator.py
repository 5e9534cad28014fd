"""Sentences of the sample corpus, each a function of (seed, split, index) alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random

from seqlab.sample.expansion import Emit, bounds_of
from seqlab.sample.grammar import Compiler, PatternFile, read_pattern_file
from seqlab.sample.lexicon import LexiconSlots, function_words
from seqlab.sample.surface import Token, fix_articles, fix_commas, restyle

SPLITS = ("train", "dev", "test")

MAX_TOKENS = 110
"""A longer expansion is drawn again, so that recursion cannot run away."""


@dataclass(frozen=True, slots=True)
class SampleSentence:
    """One synthetic sentence with both tag layers.

    Args:
        tokens: the surface forms.
        upos: one Universal POS tag per token.
        ner: one IOB2 tag per token (PER, LOC, ORG, MISC).
        genre: the pattern file it came from.
    """

    tokens: tuple[str, ...]
    upos: tuple[str, ...]
    ner: tuple[str, ...]
    genre: str


@dataclass(frozen=True)
class _Genre:
    name: str
    patterns: tuple[Emit, ...]
    pattern_bounds: list[float]
    styles: tuple[str, ...]
    style_bounds: list[float]


@cache
def pattern_files() -> tuple[PatternFile, ...]:
    """All pattern files, by name; those that hold rules only are among them."""
    folder = files(__package__).joinpath("patterns")
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(".txt")), key=lambda p: p.name)
    return tuple(
        read_pattern_file(path.name.removesuffix(".txt"), path.read_text(encoding="utf-8")) for path in paths
    )


@cache
def _genres(held_out: bool) -> tuple[list[_Genre], list[float]]:
    """The compiled genres and the bounds to draw one by."""
    compiler = Compiler(slot=LexiconSlots(held_out=held_out).slot, function_words=function_words())
    for file in pattern_files():
        for name, text, where in file.rules:
            compiler.add_rule(name, text, where)
    genres = []
    for file in pattern_files():
        if not file.patterns:
            continue
        plain = 1 - sum(file.styles.values())
        genres.append(
            _Genre(
                name=file.name,
                patterns=tuple(compiler.compile(pattern.text, pattern.where) for pattern in file.patterns),
                pattern_bounds=bounds_of([pattern.weight for pattern in file.patterns]),
                styles=("sentence", *file.styles),
                style_bounds=bounds_of([plain, *file.styles.values()]),
            )
        )
    compiler.finish()
    weights = [file.weight for file in pattern_files() if file.patterns]
    return genres, bounds_of(weights)


def generate_sentences(*, split: str, start: int, stop: int, seed: int) -> Iterator[SampleSentence]:
    """Yield the sentences `start` to `stop` (exclusive) of a split, one at a time.

    Sentence `i` is the same whatever the range asked for, so a longer corpus begins with the
    shorter one's sentences. Names and words held out (`lexicon.is_held_out`) occur in dev and test only.

    Raises:
        ValueError: the split is not one of `SPLITS`, or the range is not a range.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, not {split!r}")
    if not 0 <= start <= stop:
        raise ValueError(f"start and stop must be 0 <= start <= stop, not {start} and {stop}")
    return _sentences(split, start, stop, seed)


def _sentences(split: str, start: int, stop: int, seed: int) -> Iterator[SampleSentence]:
    genres, genre_bounds = _genres(split != "train")
    rng = Random()
    for index in range(start, stop):
        rng.seed(f"{seed}/{split}/{index}")
        genre = genres[bisect_right(genre_bounds, rng.random())]
        style = genre.styles[bisect_right(genre.style_bounds, rng.random())]
        tokens: list[Token] = []
        while not 0 < len(tokens) <= MAX_TOKENS:
            tokens.clear()
            genre.patterns[bisect_right(genre.pattern_bounds, rng.random())](rng, tokens)
        fix_commas(tokens)
        fix_articles(tokens)
        restyle(tokens, style)
        words, upos, ner = zip(*tokens, strict=True)
        yield SampleSentence(words, upos, ner, genre.name)
