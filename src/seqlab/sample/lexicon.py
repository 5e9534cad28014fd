"""The lexica: reading them, holding part of each back from train, drawing from them."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from random import Random

from seqlab.sample.expansion import Emit, bounds_of
from seqlab.sample.morphology import noun_forms, verb_forms
from seqlab.sample.names import made_names, made_words
from seqlab.sample.numerals import COMPUTED
from seqlab.sample.surface import Token

NAME_ROLES = frozenset(("first", "last", "place", "org", "product", "work", "nat", "misc"))
"""Roles whose items build entity names; a role is a lexicon's name up to its first dot."""

LEXICON_FILES = ("nouns.txt", "verbs.txt", "adjectives.txt", "adverbs.txt", "names.txt")

HELD_OUT_PERCENT = {"name": 15, "open": 10}
"""Share of a lexicon that train never sees, for names and for open-class words."""

_OPEN_ROLES = frozenset(("noun", "verb", "adj", "adv"))
_TAG_OF_ROLE = {"noun": "NOUN", "verb": "VERB", "adj": "ADJ", "adv": "ADV", "intj": "INTJ", "ordinal": "ADJ"}
_ADJ_LEXICA = frozenset(("nat.adj",))
_NUM_LEXICA = frozenset(("word.number",))
_INSIDE_NAMES = {
    "of": "ADP", "for": "ADP", "on": "ADP", "in": "ADP", "at": "ADP", "to": "ADP", "the": "DET",
    "and": "CCONJ", "&": "CCONJ", "'s": "PART", "'": "PART", "a": "DET", "-": "PUNCT",
    "upon": "ADP", "without": "ADP",
}  # fmt: skip


def role_of(lexicon: str) -> str:
    """`noun` of `noun.thing`: an item is held back in a role, not in one lexicon of it."""
    return lexicon.partition(".")[0]


def lemma(item: str) -> str:
    """What an item is held back by: `take` of `take:took:taken`, `stop` of `stop+`."""
    return item.partition(":")[0].rstrip("+!")


@cache
def _never_held_out() -> frozenset[str]:
    """Lemmas that stand in several roles (`record`, `Mark`) or inside a longer name, or are marked with `!`.

    Train has to show each of their readings, or their ambiguity could not be learnt.
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
    """Whether an item of a lexicon, as written there, is kept for dev and test.

    The choice is a function of the role and the lemma alone (CRC-32), so that it does not change when a
    lexicon grows; words of several roles are never held out.
    """
    if role in NAME_ROLES:
        percent = HELD_OUT_PERCENT["name"]
    elif role in _OPEN_ROLES:
        percent = HELD_OUT_PERCENT["open"]
    else:
        return False
    word = lemma(item)
    return zlib.crc32(f"{role}:{word}".encode()) % 100 < percent and word.lower() not in _never_held_out()


def _read(name: str) -> str:
    return files(__package__).joinpath("lexicon", name).read_text(encoding="utf-8")


@cache
def function_words() -> dict[str, str]:
    """Word -> UPOS of the words that patterns may use without a tag."""
    words: dict[str, str] = {}
    for line in _read("function_words.txt").splitlines():
        tag, _, rest = line.partition(":")
        if rest and not line.startswith("#"):
            words.update(dict.fromkeys(rest.split(), tag))
    return words


@cache
def lexica() -> dict[str, tuple[str, ...]]:
    """Lexicon name -> its items, most frequent first, as written in `lexicon/*.txt` or made."""
    found: dict[str, list[str]] = {}
    for file in LEXICON_FILES:
        for name, items in _sections(_read(file)):
            found.setdefault(name, []).extend(items)
    stems = dict(_sections(_read("stems.txt")))
    found.update(made_names(stems))
    found.update(made_words(stems))
    return {name: tuple(dict.fromkeys(items)) for name, items in found.items()}


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    name = ""
    items: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("["):
            if name:
                yield name, items
            name, items = line.strip("[] "), []
        else:
            items.extend(line.split())
    if name:
        yield name, items


def _tokens(lexicon: str, written: str) -> tuple[Token, ...]:
    """The tokens of one written item: its blanks are underscores, as in `Bank_of_England`."""
    role = role_of(lexicon)
    if lexicon in _ADJ_LEXICA:
        return tuple((word, "ADJ", "O") for word in written.split("_"))
    if lexicon in _NUM_LEXICA:
        return ((written, "NUM", "O"),)
    default = _TAG_OF_ROLE.get(role, "PROPN")
    words = written.split("_")
    return tuple((word, _tag_in(word, default, first=i == 0), "O") for i, word in enumerate(words))


def _tag_in(word: str, default: str, *, first: bool) -> str:
    if default != "PROPN":
        return default
    if word.isdigit():
        return "NUM"
    if first and word in ("The", "A"):
        return "DET"
    return _INSIDE_NAMES.get(word, default)


def _form(role: str, item: str, form: str) -> str:
    if role in ("noun", "nat"):
        return noun_forms(item)[form]
    if role == "verb":
        return verb_forms(item)[form]
    raise KeyError(form)


class LexiconSlots:
    """Slots over the items that a split may use.

    Args:
        held_out: whether held-out items may be drawn as well (dev and test) or not (train).
    """

    def __init__(self, *, held_out: bool) -> None:
        self.held_out = held_out
        self._made: dict[str, Emit] = {}

    def slot(self, name: str) -> Emit:
        """The function that writes one item of `lexicon` or `lexicon.form`.

        Raises:
            KeyError: there is no such lexicon or form.
        """
        if name not in self._made:
            self._made[name] = self._computed(name) if name in COMPUTED else self._listed(name)
        return self._made[name]

    @staticmethod
    def _computed(name: str) -> Emit:
        draw, tag = COMPUTED[name]

        def emit(rng: Random, out: list[Token]) -> None:
            out.append((draw(rng), tag, "O"))

        return emit

    def _listed(self, name: str) -> Emit:
        lexicon, form = (name, "") if name in lexica() else (name.rpartition(".")[0], name.rpartition(".")[2])
        role = role_of(lexicon)
        entries: list[tuple[Token, ...]] = []
        weights: list[float] = []
        flatness, slope = (40, 1.0) if lexicon.endswith(".made") else (4, 0.8)
        for rank, item in enumerate(lexica()[lexicon]):
            if self.held_out or not is_held_out(role, item):
                written = item.removesuffix("!")
                entries.append(_tokens(lexicon, _form(role, written, form) if form else written))
                weights.append(1 / (rank + flatness) ** slope)
        bounds = bounds_of(weights)

        def emit(rng: Random, out: list[Token]) -> None:
            out.extend(entries[bisect_right(bounds, rng.random())])

        return emit
