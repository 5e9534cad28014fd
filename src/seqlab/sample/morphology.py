"""Inflection: the forms of nouns and verbs, and the choice between the articles `a` and `an`."""

from __future__ import annotations

import re

VERB_FORMS = ("base", "sg", "pl", "past", "part", "ing")

_CONSONANT_Y = re.compile(r"[^aeiou]y$")
_SIBILANT = re.compile(r"(s|x|z|ch|sh)$")
_VOWEL_SOUND = re.compile(
    r"(?!uni|use|usu|util|euro|one\b|once|ubiq|ura)[aeiou]|hour|honest|honou?r|heir|8|11$|18$|1[18],|[FLMNRSX][A-Z0-9]|F\b",
)
_ACRONYM_WITH_U = re.compile(r"U[.A-Z]")


def add_s(word: str) -> str:
    """Return the plural of a regular noun, or the third person singular of a regular verb."""
    if _CONSONANT_Y.search(word):
        return word[:-1] + "ies"
    if _SIBILANT.search(word):
        return word + "es"
    return word + "s"


def noun_forms(entry: str) -> dict[str, str]:
    """Return the singular and plural of a lexicon entry such as `report` (regular) or `child:children`."""
    singular, _, plural = entry.partition(":")
    return {"sg": singular, "pl": plural or add_s(singular)}


def verb_forms(entry: str) -> dict[str, str]:
    """Return the forms of a lexicon entry: `open`, `stop+` (doubled consonant) or `take:took:taken`.

    The participle equals the past form if it is not given (`hold:held`).
    """
    base, _, irregular = entry.partition(":")
    doubling = base.endswith("+")
    base = base.rstrip("+")
    stem = base + base[-1] if doubling else base
    if _CONSONANT_Y.search(base):
        regular = base[:-1] + "ied"
    elif base.endswith("e"):
        regular = base + "d"
    else:
        regular = stem + "ed"
    past, _, participle = (irregular or regular).partition(":")
    if base.endswith("ie"):
        progressive = base[:-2] + "ying"
    elif base.endswith("e") and not base.endswith(("ee", "oe", "ye")):
        progressive = base[:-1] + "ing"
    else:
        progressive = stem + "ing"
    third = {"go": "goes", "do": "does", "undergo": "undergoes", "have": "has"}.get(base) or add_s(base)
    return dict(zip(VERB_FORMS, (base, third, base, past, participle or past, progressive), strict=True))


def takes_an(word: str) -> bool:
    """Return whether the indefinite article before this token is `an`."""
    if _ACRONYM_WITH_U.match(word):
        return False
    if word[1:2].isupper() or (len(word) > 1 and word[1].isdigit() and word[0].isalpha()):
        return word[0] in "AEFHILMNORSX"
    return bool(_VOWEL_SOUND.match(word.lower()))
