"""Sentences of the sample corpus. Each depends on its seed, split and index alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from random import Random

from seqlab.sample.expansion import Emit, WeightedChoice
from seqlab.sample.grammar import Compiler, PatternFile, read_pattern_file
from seqlab.sample.lexicon import function_words, slot
from seqlab.sample.surface import Token, fix_articles, fix_commas, restyle

MAX_TOKENS = 110
"""Longer expansions are drawn again, which bounds recursive rules."""


@dataclass(frozen=True, slots=True)
class SampleSentence:
    """One synthetic sentence with both layers of tags.

    Args:
        tokens: the surface forms.
        upos: one Universal POS tag per token.
        ner: one IOB2 tag per token (PER, LOC, ORG, MISC).
        genre: the name of its pattern file.
    """

    tokens: tuple[str, ...]
    upos: tuple[str, ...]
    ner: tuple[str, ...]
    genre: str


@dataclass(frozen=True)
class _Genre:
    name: str
    patterns: WeightedChoice[Emit]
    styles: WeightedChoice[str]


@cache
def pattern_files() -> tuple[PatternFile, ...]:
    """Return all pattern files in alphabetical order, including those that contain only rules."""
    folder = files(__package__).joinpath("patterns")
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(".txt")), key=lambda p: p.name)
    return tuple(
        read_pattern_file(path.name.removesuffix(".txt"), path.read_text(encoding="utf-8")) for path in paths
    )


@cache
def _genres(held_out: bool) -> WeightedChoice[_Genre]:
    compiler = Compiler(slot=partial(slot, held_out=held_out), function_words=function_words())
    for file in pattern_files():
        for name, text, where in file.rules:
            compiler.add_rule(name, text, where)
    genre_files = [file for file in pattern_files() if file.patterns]
    genres = [
        _Genre(
            name=file.name,
            patterns=WeightedChoice(
                [compiler.compile(pattern.text, pattern.where) for pattern in file.patterns],
                [pattern.weight for pattern in file.patterns],
            ),
            styles=WeightedChoice(
                ["sentence", *file.styles], [1 - sum(file.styles.values()), *file.styles.values()]
            ),
        )
        for file in genre_files
    ]
    compiler.finish()
    return WeightedChoice(genres, [file.weight for file in genre_files])


def generate_sentences(*, split: str, count: int, seed: int) -> Iterator[SampleSentence]:
    """Yield the first `count` sentences of a split.

    A longer corpus starts with the sentences of a shorter one. Held-out names and words (see
    `lexicon.is_held_out`) occur only in `dev` and `test`, not in `train`.
    """
    genres = _genres(split != "train")
    rng = Random()
    for index in range(count):
        rng.seed(f"{seed}/{split}/{index}")
        genre = genres.draw(rng)
        style = genre.styles.draw(rng)
        tokens: list[Token] = []
        while not 0 < len(tokens) <= MAX_TOKENS:
            tokens.clear()
            genre.patterns.draw(rng)(rng, tokens)
        fix_commas(tokens)
        fix_articles(tokens)
        restyle(tokens, style)
        words, upos, ner = zip(*tokens, strict=True)
        yield SampleSentence(words, upos, ner, genre.name)
