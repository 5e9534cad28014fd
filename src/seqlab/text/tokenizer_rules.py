"""The rules of the tokeniser: raw text to tokens and their offsets.

It follows the conventions of the Penn Treebank as far as they do not depend on meaning:

1. White space and control characters separate tokens.
2. Brackets, quotation marks, currency signs and other punctuation are separate tokens. Exceptions are a comma
   or colon between two digits and an ampersand between two letters (`1,000`, `10:30`, `AT&T`), and hyphens,
   slashes, `@`, `#`, `*` and `_` everywhere (`well-known`, `and/or`).
3. Two or more equal characters of `. - ' ! ? $ < >` and backquote are one token (`...`, `--`, `''`, `!!!`).
4. Clitics are separate tokens: `n't`, and `'s 'm 'd 're 've 'll` (`do n't`, `it 's`). Any other apostrophe
   between letters is kept (`O'Brien`); at the edge of a word it is a separate token (`the boys '`).
5. A period before a blank or punctuation is a separate token, except after an abbreviation in
   `ABBREVIATIONS`, letters separated by periods (`U.S.`, `p.m.`), a single capital before another word
   (`J. Smith`), or an abbreviation in `BEFORE_NUMBERS` before a number (`No. 5`).
6. An address (a string without blanks that contains `://`, or `@` between letters or digits) is only split at
   its edges.
7. A smiley between blanks is one token (`:)`, `;-(`, `:D`).

Text that is already tokenised in this way is not changed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from seqlab.text.token_boundaries import APOSTROPHE, BREAK, SPACE, WORD

ABBREVIATIONS = tuple(
    """
    mr mrs ms dr prof st sr jr rev gen sen rep gov lt col sgt capt maj messrs mme mlle
    inc corp ltd co cos bros dept univ assn etc v vs al ie eg cf approx ca
    jan feb apr jun jul aug sep sept oct nov dec ave blvd rd mt ft
    """.split()  # noqa: SIM905
)

BEFORE_NUMBERS = tuple("no nos fig figs p pp vol vols ch sec art eq ext".split())  # noqa: SIM905

_MORE_SPACES = "\u200b\ufeff"
_WORD_PUNCTUATION = ".@#*/\\·_-‐‑"
_BREAKS = ("Ps", "Pe", "Pi", "Pf", "Po", "Pd", "Sc")


def tokenizer_rules() -> dict[str, Any]:
    """Return the rules as lists and dicts, as `tagger.json` of an export contains them.

    Ranges are pairs of a first and a last code point. They follow the Unicode version of this Python.
    """
    kinds = token_kinds()
    named = (("space", SPACE), ("break", BREAK), ("apostrophe", APOSTROPHE))
    return {
        "unicode": unicodedata.unidata_version,
        "categories": {name: category_ranges(name) for name in ("L", "Lu", "N", "Nd")},
        "tokenizer": {
            **{name: ranges(np.flatnonzero(kinds == kind).tolist()) for name, kind in named},
            "abbreviations": list(ABBREVIATIONS),
            "abbreviations_before_numbers": list(BEFORE_NUMBERS),
        },
    }


@cache
def characters() -> list[str]:
    """Return the first four planes: there are no letters, digits or punctuation beyond them."""
    return [chr(code_point) for code_point in range(0x40000)]


@cache
def category_ranges(category: str) -> list[list[int]]:
    """Return the first and the last code point of each run of characters of a Unicode category.

    Args:
        category: a category (`Lu`) or the first letter of several (`L`).
    """
    return ranges([i for i, c in enumerate(characters()) if unicodedata.category(c).startswith(category)])


def ranges(code_points: Sequence[int]) -> list[list[int]]:
    """Return ascending code points as pairs of the first and the last one of each run."""
    found: list[list[int]] = []
    for code_point in code_points:
        if found and found[-1][1] == code_point - 1:
            found[-1][1] = code_point
        else:
            found.append([code_point, code_point])
    return found


@cache
def token_kinds() -> np.ndarray:
    """Return the kind of each code point, int32 (n,); all from n - 1 on are WORD."""
    kinds = np.array([_kind(c) for c in characters()], np.int32)
    return kinds[: int(np.flatnonzero(kinds != WORD)[-1]) + 2]


def _kind(character: str) -> int:
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc" or character in _MORE_SPACES:
        return SPACE
    if character in "'’":
        return APOSTROPHE
    if character in _WORD_PUNCTUATION:
        return WORD
    return BREAK if category in _BREAKS or character in "<>`" else WORD
