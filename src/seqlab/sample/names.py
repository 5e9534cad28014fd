"""Open vocabulary: names composed of syllables, and words formed by derivation and compounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from random import Random

Stems = Mapping[str, Sequence[str]]
"""The sections of `lexicon/stems.txt`, from which names and words are composed."""


def made_names(stems: Stems) -> dict[str, list[str]]:
    """Return the lexica of names composed of syllables, in a fixed order."""
    return {
        "last.made": _syllables(stems, "surname_end", count=4000),
        "place.made": _syllables(stems, "town_end", count=2500),
        "org.made": _syllables(stems, "firm_end", count=2000),
        "product.made": _syllables(stems, "product_end", count=1500),
    }


def _syllables(stems: Stems, ending: str, *, count: int) -> list[str]:
    rng = Random(ending)
    names: dict[str, None] = {}
    while len(names) < count:
        parts = [rng.choice(stems["onset"]), rng.choice(stems["vowel"])]
        if rng.random() < 0.25:
            parts += [rng.choice(stems["onset"]), rng.choice(stems["vowel"])]
        if rng.random() < 0.6:
            parts.append(rng.choice(stems["coda"]))
        parts.append(rng.choice(stems[ending]))
        names["".join(parts).capitalize()] = None
    return list(names)


def made_words(stems: Stems) -> dict[str, list[str]]:
    """Return the lexica of words formed from stems, in a fixed order."""
    adjectives = [
        *_joined(stems, "adj_front", "adj_back", by="-"),
        *_joined(stems, "adj_noun", "adj_relation", by="-"),
        *_joined(stems, "adj_prefix", "adj_of"),
        *stems["adj_whole"],
    ]
    qualities = [f"{adjective}ness" for adjective in stems["quality"]]
    return {
        "noun.maker": _shuffled([*stems["agent"]]),
        "noun.compound": _shuffled(_joined(stems, "thing_front", "thing_back")),
        "noun.quality": _shuffled([*qualities, *_joined(stems, "idea_prefix", "idea")]),
        "adj.made": _shuffled(adjectives),
        "verb.made": _shuffled(_joined(stems, "verb_prefix", "verb")),
    }


def _joined(stems: Stems, first: str, second: str, *, by: str = "") -> list[str]:
    return [a + by + b for a, b in product(stems[first], stems[second]) if a != b]


def _shuffled(words: list[str]) -> list[str]:
    unique = sorted(set(words))
    Random("words").shuffle(unique)
    return unique
