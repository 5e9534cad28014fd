"""The pattern notation, and its compilation into functions that append tokens.

A pattern file is read line by line; an indented line continues the previous one::

    # a comment
    genre: weight 10, lower 0.3           weight of the genre, and share of each letter-case style
    verdict.$n = {np.$n} {was.$n} <adj.any>       a rule; further lines with its name add alternatives
    - {per} said/VERB that/SCONJ {verdict.$n} .   a sentence pattern

The right-hand side is a sequence of items separated by blanks:

==================  ==========================================================================
`the`               a word with a single possible tag (`lexicon/function_words.txt`)
`said/VERB`         a word with its UPOS tag
`<noun.thing.pl>`   a form of a word drawn from a lexicon, or a computed slot (`<num.year>`)
`{np.sg}`           the expansion of a rule
`[ a | b %3 | ]`    one alternative, here the second three times as often; may be empty
`?item`             the item or nothing, with equal probability
`^ item`            the item with its first letter capitalised
`( items )`         the items in round brackets
`PER( items )`      an entity; only the outermost of nested entities is tagged
`$n` `$g` `$f`      number (sg, pl), gender (m, f), verb form: in a rule's name, one rule for each
                    value; otherwise one value is drawn for the whole pattern or alternative
==================  ==========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod

from seqlab.errors import SeqlabError
from seqlab.sample.expansion import (
    ENTITY_TYPES,
    Emit,
    choice,
    entity,
    literal,
    reference,
    sequence,
    with_capital,
)
from seqlab.sample.morphology import VERB_FORMS

UPOS_TAGS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM",
    "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
_VARIABLES: dict[str, dict[str, int]] = {
    "$n": {"sg": 2, "pl": 1},
    "$g": {"m": 1, "f": 1},
    "$f": dict.fromkeys(VERB_FORMS, 1),
}
_RULE = re.compile(r"([a-z_0-9]+(?:\.[a-z$_]+)*) = (.*)")
_WEIGHT = re.compile(r"%(\d+)")


@dataclass(frozen=True)
class Pattern:
    """The text of a sentence pattern, with its weight and its location (`file:line`)."""

    text: str
    weight: int
    where: str


@dataclass
class PatternFile:
    """The contents of one pattern file; a file without a `genre` line contains rules only."""

    name: str
    weight: int = 0
    styles: dict[str, float] = field(default_factory=dict)
    rules: list[tuple[str, str, str]] = field(default_factory=list)
    patterns: list[Pattern] = field(default_factory=list)


def read_pattern_file(name: str, text: str) -> PatternFile:
    """Parse the text of a pattern file.

    Raises:
        SeqlabError: a line is not a genre line, a rule or a pattern.
    """
    result = PatternFile(name)
    for where, line in _logical_lines(name, text):
        if line.startswith("genre:"):
            settings = dict(part.split() for part in line.removeprefix("genre:").split(","))
            result.weight = int(settings.pop("weight"))
            result.styles = {style: float(share) for style, share in settings.items()}
        elif line.startswith("- "):
            body, weight = _split_weight(line[2:].split())
            result.patterns.append(Pattern(" ".join(body), weight, where))
        elif match := _RULE.fullmatch(line):
            result.rules.append((match[1], match[2], where))
        else:
            raise SeqlabError(
                "invalid line in a pattern file",
                where=where,
                expected="'genre: ...', 'rule = ...' or '- pattern'",
                received=line,
            )
    return result


def _logical_lines(name: str, text: str) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip() or raw.startswith("#"):
            continue
        if raw[0].isspace() and lines:
            where, first = lines.pop()
            lines.append((where, f"{first} {raw.strip()}"))
        else:
            lines.append((f"{name}:{number}", raw.strip()))
    return lines


def _split_weight(items: list[str]) -> tuple[list[str], int]:
    if items and (match := _WEIGHT.fullmatch(items[-1])):
        return items[:-1], int(match[1])
    return items, 1


class Compiler:
    """Compiles rules and patterns.

    Args:
        slot: returns the function that appends a slot's tokens; raises KeyError for an unknown slot.
        function_words: the UPOS tag of each word that patterns may contain without a tag.
    """

    def __init__(self, *, slot: Callable[[str], Emit], function_words: Mapping[str, str]) -> None:
        self.slot = slot
        self.function_words = function_words
        self.rules: dict[str, Emit] = {}
        self._alternatives: dict[str, list[tuple[Emit, int]]] = {}
        self._used: dict[str, str] = {}

    def add_rule(self, name: str, text: str, where: str) -> None:
        """Add alternatives to a rule, or to the rule of each value if its name contains variables."""
        bound = [variable for variable in _VARIABLES if variable in name]
        for values in product(*(_VARIABLES[variable] for variable in bound)):
            rule, body = name, text
            for variable, value in zip(bound, values, strict=True):
                rule, body = rule.replace(variable, value), body.replace(variable, value)
            self._alternatives.setdefault(rule, []).extend(self._options(body.split(), where))

    def finish(self) -> None:
        """Resolve references to rules, after all rules and patterns are added.

        Raises:
            SeqlabError: a referenced rule does not exist.
        """
        self.rules.update({name: choice(options) for name, options in self._alternatives.items()})
        for name, where in self._used.items():
            if name not in self.rules:
                raise SeqlabError("no such rule", where=where, received=f"{{{name}}}")

    def compile(self, text: str, where: str) -> Emit:
        """Return the function that expands a pattern or the body of a rule."""
        return choice(self._options(text.split(), where))

    def _options(self, items: list[str], where: str) -> list[tuple[Emit, int]]:
        """Return the weighted alternatives, each with one expansion per value of its free variables."""
        options = []
        for part in _split_bars(items):
            body, weight = _split_weight(part)
            free = [variable for variable in _VARIABLES if any(variable in item for item in body)]
            readings = []
            for values in product(*(_VARIABLES[variable] for variable in free)):
                bound = body
                for variable, value in zip(free, values, strict=True):
                    bound = [item.replace(variable, value) for item in bound]
                shares = (_VARIABLES[variable][value] for variable, value in zip(free, values, strict=True))
                readings.append((self._sequence(bound, where), prod(shares)))
            options.append((choice(readings), weight))
        return options

    def _sequence(self, items: list[str], where: str) -> Emit:
        nodes: list[Emit] = []
        position = 0
        while position < len(items):
            node, position = self._item(items, position, where)
            nodes.append(node)
        return sequence(nodes)

    def _item(self, items: list[str], position: int, where: str) -> tuple[Emit, int]:
        item = items[position]
        if item == "^":
            node, after = self._item(items, position + 1, where)
            return with_capital(node), after
        if len(item) > 1 and item[0] == "?" and item[1] in "[{<PLOM":
            node, after = self._item([*items[:position], item[1:], *items[position + 1 :]], position, where)
            return choice([(node, 1), (sequence([]), 1)]), after
        if item == "[":
            end = _closing(items, position, where)
            return choice(self._options(items[position + 1 : end], where)), end + 1
        if item[-1] == "(" and item[:-1] in ENTITY_TYPES:
            end = _closing(items, position, where)
            return entity(item[:-1], self._sequence(items[position + 1 : end], where)), end + 1
        if item == "(":
            end = _closing(items, position, where)
            inside = self._sequence(items[position + 1 : end], where)
            return sequence([literal(("(", "PUNCT", "O")), inside, literal((")", "PUNCT", "O"))]), end + 1
        return self._single(item, where), position + 1

    def _single(self, item: str, where: str) -> Emit:
        if item[0] == "<" and item[-1] == ">":
            try:
                return self.slot(item[1:-1])
            except KeyError:
                raise SeqlabError("no such slot", where=where, received=item) from None
        if item[0] == "{" and item[-1] == "}":
            self._used.setdefault(item[1:-1], where)
            return reference(self.rules, item[1:-1])
        word, _, upos = item.rpartition("/") if item.rpartition("/")[2] in UPOS_TAGS else (item, "", "")
        upos = upos or self.function_words.get(word) or self.function_words.get(word.lower(), "")
        if not upos:
            raise SeqlabError(
                "word without a tag",
                where=where,
                expected="word/UPOS, or a word in lexicon/function_words.txt",
                received=item,
            )
        return literal((word, upos, "O"))


def _depth_change(item: str) -> int:
    bare = item.lstrip("?")
    if bare in ("[", "(") or (bare[-1:] == "(" and bare[:-1] in ENTITY_TYPES):
        return 1
    return -1 if item in ("]", ")") else 0


def _closing(items: list[str], start: int, where: str) -> int:
    depth = 0
    for position in range(start, len(items)):
        depth += _depth_change(items[position])
        if depth == 0:
            return position
    raise SeqlabError("unclosed bracket", where=where, received=" ".join(items[start:]))


def _split_bars(items: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    depth = 0
    for item in items:
        depth += _depth_change(item)
        if item == "|" and depth == 0:
            parts.append([])
        else:
            parts[-1].append(item)
    return parts
