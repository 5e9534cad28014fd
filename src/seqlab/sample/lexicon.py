"""The lexica: reading them, holding items out of train, and drawing items."""

from __future__ import annotations

import zlib
from functools import cache
from importlib.resources import files

from seqlab.sample.expansion import Emit, WeightedChoice
from seqlab.sample.morphology import noun_forms, verb_forms
from seqlab.sample.names import made_names, made_words
from seqlab.sample.numerals import COMPUTED
from seqlab.sample.surface import Token

_FILES = ("nouns.txt", "verbs.txt", "adjectives.txt", "adverbs.txt", "names.txt")
_HELD_OUT_PERCENT = {
    **dict.fromkeys(("first", "last", "place", "org", "product", "work", "nat", "misc"), 15),  # names
    **dict.fromkeys(("noun", "verb", "adj", "adv"), 10),
}
_FORMS = {"noun": noun_forms, "nat": noun_forms, "verb": verb_forms}
_UPOS = {  # of a lexicon or a role; all others contain names
    "nat.adj": "ADJ", "word.number": "NUM",
    "noun": "NOUN", "verb": "VERB", "adj": "ADJ", "adv": "ADV", "intj": "INTJ", "ordinal": "ADJ",
}  # fmt: skip
_UPOS_INSIDE_NAMES = {
    "of": "ADP", "for": "ADP", "on": "ADP", "in": "ADP", "at": "ADP", "to": "ADP", "the": "DET",
    "and": "CCONJ", "&": "CCONJ", "'s": "PART", "'": "PART", "a": "DET", "-": "PUNCT",
    "upon": "ADP", "without": "ADP",
}  # fmt: skip


def role_of(lexicon: str) -> str:
    """Return a lexicon's role, the part of its name before the first dot: `noun` for `noun.thing`."""
    return lexicon.partition(".")[0]


def lemma(item: str) -> str:
    """Return an item without its inflection: `take` for `take:took:taken`, `stop` for `stop+`."""
    return item.partition(":")[0].rstrip("+!")


@cache
def _never_held_out() -> frozenset[str]:
    """Return the lemmas that have several roles (`record`, `Mark`), occur in longer names or are marked `!`.

    They occur in train because a model could not learn their ambiguity otherwise.
    """
    roles: dict[str, set[str]] = {}
    marked = set()
    for name, items in lexica().items():
        for item in items:
            roles.setdefault(lemma(item).lower(), set()).add(role_of(name))
            if "_" in item:
                for part in lemma(item).lower().split("_"):
                    roles.setdefault(part, set()).add(lemma(item))
            if item.endswith("!"):
                marked.add(lemma(item).lower())
    return frozenset(marked | {word for word, found in roles.items() if len(found) > 1})


@cache
def is_held_out(role: str, item: str) -> bool:
    """Return whether an item, as written in its lexicon, occurs only in dev and test.

    The choice depends on the role and the lemma alone (CRC-32), so it does not change if a lexicon grows.
    Words with several roles are never held out.
    """
    word = lemma(item)
    return (
        zlib.crc32(f"{role}:{word}".encode()) % 100 < _HELD_OUT_PERCENT.get(role, 0)
        and word.lower() not in _never_held_out()
    )


@cache
def function_words() -> dict[str, str]:
    """Return the UPOS tag of each word that patterns may contain without a tag."""
    words: dict[str, str] = {}
    for line in _read("function_words.txt").splitlines():
        tag, _, rest = line.partition(":")
        if rest and not line.startswith("#"):
            words.update(dict.fromkeys(rest.split(), tag))
    return words


@cache
def lexica() -> dict[str, tuple[str, ...]]:
    """Return the items of each lexicon, most frequent first."""
    found = {name: items for file in _FILES for name, items in _sections(_read(file)).items()}
    stems = _sections(_read("stems.txt"))
    found |= made_names(stems) | made_words(stems)
    return {name: tuple(dict.fromkeys(items)) for name, items in found.items()}


@cache
def slot(name: str, *, held_out: bool) -> Emit:
    """Return the function that draws an item from `lexicon` or `lexicon.form`, or computes one.

    Args:
        name: a slot such as `noun.thing.pl`, `last.common` or `num.year`.
        held_out: whether held-out items may be drawn (dev and test) or not (train).

    Raises:
        KeyError: there is no such lexicon or form.
    """
    if name in COMPUTED:
        compute, upos = COMPUTED[name]
        return lambda rng, out: out.append((compute(rng), upos, "O"))
    lexicon, _, form = (name, "", "") if name in lexica() else name.rpartition(".")
    role = role_of(lexicon)
    flatness, slope = (40, 1.0) if lexicon.endswith(".made") else (4, 0.8)
    entries: list[tuple[Token, ...]] = []
    weights: list[float] = []
    for rank, item in enumerate(lexica()[lexicon]):
        if held_out or not is_held_out(role, item):
            written = item.removesuffix("!")
            entries.append(_tokens(lexicon, _FORMS[role](written)[form] if form else written))
            weights.append(1 / (rank + flatness) ** slope)
    choice = WeightedChoice(entries, weights)
    return lambda rng, out: out.extend(choice.draw(rng))


def _read(name: str) -> str:
    return files(__package__).joinpath("lexicon", name).read_text(encoding="utf-8")


def _sections(text: str) -> dict[str, list[str]]:
    """Return the words under each `[name]` line."""
    sections: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[] ")
        elif not line.startswith("#"):
            sections.setdefault(name, []).extend(line.split())
    return sections


def _tokens(lexicon: str, item: str) -> tuple[Token, ...]:
    """Return the tokens of an item, which are joined by underscores, as in `Bank_of_England`."""
    upos = _UPOS.get(lexicon) or _UPOS.get(role_of(lexicon))
    return tuple(
        (word, upos or _upos_in_name(word, first=position == 0), "O")
        for position, word in enumerate(item.split("_"))
    )


def _upos_in_name(word: str, *, first: bool) -> str:
    if word.isdigit():
        return "NUM"
    if first and word in ("The", "A"):
        return "DET"
    return _UPOS_INSIDE_NAMES.get(word, "PROPN")
