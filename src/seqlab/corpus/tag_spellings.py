"""Tags that look like misspellings of others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_MIN_LENGTH = 4  # shorter tags differ by one letter on purpose (NN and NNP, ADP and ADV)
_MAX_SHARE = 0.01  # of the frequent one's occurrences
_MAX_COMPARED = 1_000
_PREFIXED = re.compile(r"[BIESLU]([_/:.|–—‐‑]|-?\s+-?)\S+")
_DIGITS = re.compile(r"\d")
_SUFFIXED = re.compile(r"\S+?[-_/:.|][BIESLU]")


class Suspicion(NamedTuple):
    """A suspicious tag or entity type, and the reason."""

    name: str
    reason: str


def find_suspicious_spellings(counts: Mapping[str, int]) -> list[Suspicion]:
    """Find the names that differ from a more frequent one in spelling alone, or that contain odd characters.

    Two names are taken for the same if they are equal without case, punctuation and accents, or if both have
    at least 4 characters, one edit (a letter inserted, deleted, replaced, or two exchanged) separates them,
    and one occurs at most a hundredth as often as the other.

    Args:
        counts: the occurrences of each tag, or of each entity type, of one column.
    """
    found: list[Suspicion] = []
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    by_key: dict[str, str] = {}
    for name in ranked:
        first = by_key.setdefault(_key(name), name)
        if first != name:
            found.append(Suspicion(name, f"like {first}, which occurs {counts[first]:,} times"))
        elif reason := _odd_characters(name):
            found.append(Suspicion(name, reason))
    distinct = list(by_key.values())
    if len(distinct) <= _MAX_COMPARED:
        for position, name in enumerate(distinct):
            frequent = [
                other
                for other in distinct[:position]
                if counts[name] <= _MAX_SHARE * counts[other] and is_one_edit(name, other)
            ]
            if frequent and not _odd_characters(name):
                found.append(
                    Suspicion(name, f"like {frequent[0]}, which occurs {counts[frequent[0]]:,} times")
                )
    return found


def is_one_edit(first: str, second: str) -> bool:
    """Return whether one edit turns one name of at least 4 characters into the other; digits do not count."""
    if min(len(first), len(second)) < _MIN_LENGTH or abs(len(first) - len(second)) > 1:
        return False
    if _DIGITS.sub("", first) == _DIGITS.sub("", second):
        return False
    short, long = sorted((first, second), key=len)
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    if short[start + 1 :] == long[start + 1 :]:
        return True
    return (
        short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]
    )


def describe_foreign_tags(counts: Mapping[str, int]) -> str:
    """Say how tags that belong to no scheme are written, for a column most of whose tags do not.

    Returns:
        An expectation such as `a hyphen after the prefix: B-PER, not B_PER`, or an empty text.
    """
    names = [
        name for name in sorted(counts, key=lambda name: -counts[name]) if name.upper() not in ("O", "0")
    ]
    if not names:
        return ""
    total = sum(counts[name] for name in names)

    def mostly(matching: Sequence[str]) -> bool:
        return 2 * sum(counts[name] for name in matching) > total

    if mostly(prefixed := [name for name in names if _PREFIXED.fullmatch(name)]):
        written = re.sub(r"^([BIESLU])[\W_]+", r"\1-", prefixed[0])
        return f"a hyphen after the prefix: {written}, not {prefixed[0]}"
    if mostly(suffixed := [name for name in names if _SUFFIXED.fullmatch(name)]):
        written = f"{suffixed[0][-1]}-{suffixed[0][:-2]}"
        return f"the prefix before the type: {written}, not {suffixed[0]}"
    if mostly(lower := [name for name in names if re.fullmatch(r"[biesul]-\S+", name)]):
        return f"capital prefixes: {lower[0][0].upper()}{lower[0][1:]}, not {lower[0]}"
    if len(names) <= 100:
        return f"tags with prefixes: B-{names[0]} and I-{names[0]}, not {names[0]}"
    return ""


def _key(name: str) -> str:
    """Return a name without case, punctuation, blanks and accents; the name itself if nothing is left."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    kept = "".join(c for c in decomposed if c.isalnum())
    return kept + "$" * ("$" in name) if kept else name  # PRP and PRP$ of the Penn Treebank differ


def _odd_characters(name: str) -> str:
    odd = [c for c in name if c.isspace() or unicodedata.category(c) in ("Cc", "Cf", "Zs")]
    if odd:
        return f"contains U+{ord(odd[0]):04X} ({unicodedata.name(odd[0], 'a control character').lower()})"
    letters = [c for c in name if c.isalpha()]
    latin = [unicodedata.name(c, "").startswith(("LATIN", "FULLWIDTH LATIN")) for c in letters]
    if any(latin) and not all(latin):
        other = letters[latin.index(False)]
        return f"mixes Latin with {unicodedata.name(other, 'another script').lower()}"
    return ""
