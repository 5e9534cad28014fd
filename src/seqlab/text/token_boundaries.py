"""Where tokens begin: the tokeniser's rules as Boolean arithmetic, for TensorFlow and for NumPy alike.

The rules are those in the docstring of `text.tokenizer_rules`.
"""

from __future__ import annotations

from typing import Any, Protocol

SPACE, BREAK, APOSTROPHE, WORD = range(4)
"""The kinds of characters that the tokeniser distinguishes."""

Array = Any
"""A tensor or a NumPy array over all characters."""


class Characters(Protocol):
    """The characters of all texts, with a blank before each text and one at the end.

    Attributes:
        code_points: int (characters,).
        kinds: int (characters,), the kinds above.
        is_space, is_digit: bool (characters,).
        may_contain_addresses: False only if no text contains `://` or `@`.
    """

    code_points: Array
    kinds: Array
    is_space: Array
    is_digit: Array
    may_contain_addresses: bool

    def is_any(self, characters: str) -> Array:
        """Return whether each character is one of these, in lower or upper case."""
        ...

    def at(self, values: Array, distance: int) -> Array:
        """Return `values` shifted: entry i is `values[i + distance]`, False (0) beyond the edges."""
        ...

    def to_int(self, flags: Array) -> Array:
        """Return 1 for True and 0 for False."""
        ...

    def cumsum(self, values: Array) -> Array:
        """Return the sum up to and including each character."""
        ...

    def chunk_min(self, values: Array) -> Array:
        """Return the minimum over the characters from one blank up to the next, for each character."""
        ...

    def chunk_max(self, values: Array) -> Array:
        """Return the maximum over the characters from one blank up to the next, for each character."""
        ...


def find_boundaries(c: Characters) -> Array:
    """Return whether a token begins at each non-blank character, before abbreviations are joined."""
    is_break, is_word, is_apostrophe = (c.kinds == kind for kind in (BREAK, WORD, APOSTROPHE))
    equals_previous, equals_next = (c.code_points == c.at(c.code_points, i) for i in (-1, 1))
    is_run = c.is_any(".-'`!?$<>") & (equals_previous | equals_next)
    apostrophe = is_apostrophe & ~is_run
    period = c.is_any(".") & ~is_run
    final_period = period & c.at(c.is_space | is_break | is_apostrophe | is_run, 1)
    ends_word = c.is_space | is_break | is_apostrophe | final_period | is_run

    short = c.at(c.is_any("smd"), 1) & c.at(ends_word, 2)
    pairs = [c.at(c.is_any(pair[0]), 1) & c.at(c.is_any(pair[1]), 2) for pair in ("re", "ve", "ll")]
    clitic = apostrophe & (short | ((pairs[0] | pairs[1] | pairs[2]) & c.at(ends_word, 3)))
    negation = apostrophe & c.at(c.is_any("n"), -1) & c.at(c.is_any("t"), 1) & c.at(ends_word, 2)
    continues = is_word & ~final_period & ~is_run
    inside_word = apostrophe & c.at(continues, -1) & c.at(continues, 1)

    between_digits = c.is_any(",:") & c.at(c.is_digit, -1) & c.at(c.is_digit, 1)
    letter = is_word & ~c.is_any(".-@#*/\\_") & ~c.is_digit
    between_letters = c.is_any("&") & c.at(letter, -1) & c.at(letter, 1)
    alone = is_break & ~is_run & ~between_digits & ~between_letters
    alone = alone | final_period | (apostrophe & ~clitic & ~negation & ~inside_word)
    run_edge = (is_run | c.at(is_run, -1)) & ~equals_previous
    begins = alone | c.at(alone, -1) | run_edge | clitic | c.at(negation, 1)
    smiley = _begins_smiley(c)
    joined = c.at(smiley, -1) | c.at(smiley, -2)
    if c.may_contain_addresses:
        inner = _inside_address(c)
        joined = joined | (inner & c.at(inner, -1))
    return c.at(c.is_space, -1) | (begins & ~joined)


def _begins_smiley(c: Characters) -> Array:
    """Return whether a smiley between blanks begins at each character: eyes, optional nose, mouth."""
    eyes = c.is_any(":;=") & c.at(c.is_space, -1)
    mouth = c.is_any("()[]dp/|")
    without_nose = c.at(mouth, 1) & c.at(c.is_space, 2)
    return eyes & (without_nose | (c.at(c.is_any("-"), 1) & c.at(mouth, 2) & c.at(c.is_space, 3)))


def _inside_address(c: Characters) -> Array:
    """Return whether each character is in an address, between its first and last word character."""
    is_word = c.kinds == WORD
    core = is_word & ~c.is_any(".-*")
    is_core = c.to_int(core)
    seen = c.cumsum(is_core)
    first, last = c.chunk_min(seen - is_core), c.chunk_max(seen)
    within = (seen > first) & ((seen < last) | core)
    slash = c.is_any("/")
    marks = c.is_any(":") & c.at(slash, 1) & c.at(slash, 2)
    marks = marks | (c.is_any("@") & c.at(is_word, -1) & c.at(is_word, 1))
    marks = marks & within & (seen < last)
    return within & (c.chunk_max(c.to_int(marks)) > 0)
