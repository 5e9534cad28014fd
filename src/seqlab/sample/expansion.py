"""What patterns are compiled to: functions that write tokens.

Each takes a random number generator and a list, and appends the tokens of one expansion to the list.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from random import Random

from seqlab.sample.surface import Token, capitalised

Emit = Callable[[Random, list[Token]], None]
"""Appends the tokens of one expansion to the list."""

ENTITY_TYPES = ("PER", "LOC", "ORG", "MISC")

_ENTITY_TAGS = {kind: (f"B-{kind}", f"I-{kind}") for kind in ENTITY_TYPES}


def bounds_of(weights: Sequence[float]) -> list[float]:
    """The points of [0, 1) between items drawn in proportion to their weights, for `bisect_right`."""
    total = sum(weights)
    return [part / total for part in accumulate(weights)][:-1]


def literal(token: Token) -> Emit:
    """Write one token."""

    def emit(rng: Random, out: list[Token]) -> None:
        out.append(token)

    return emit


def reference(rules: Mapping[str, Emit], name: str) -> Emit:
    """Expand a rule, looked up by its name when it is needed, so that rules may be recursive."""

    def emit(rng: Random, out: list[Token]) -> None:
        rules[name](rng, out)

    return emit


def sequence(nodes: list[Emit]) -> Emit:
    """Expand one after another."""
    if len(nodes) == 1:
        return nodes[0]

    def emit(rng: Random, out: list[Token]) -> None:
        for node in nodes:
            node(rng, out)

    return emit


def choice(options: list[tuple[Emit, int]]) -> Emit:
    """Expand one of several, drawn by their weights."""
    if len(options) == 1:
        return options[0][0]
    bounds = bounds_of([weight for _, weight in options])
    nodes = [node for node, _ in options]

    def emit(rng: Random, out: list[Token]) -> None:
        nodes[bisect_right(bounds, rng.random())](rng, out)

    return emit


def with_capital(node: Emit) -> Emit:
    """Expand, and capitalise the first token written."""

    def emit(rng: Random, out: list[Token]) -> None:
        start = len(out)
        node(rng, out)
        if len(out) > start:
            word, upos, ner = out[start]
            out[start] = (capitalised(word), upos, ner)

    return emit


def entity(kind: str, node: Emit) -> Emit:
    """Expand into one entity of a type; entities inside it are taken over by it."""
    begin, inside = _ENTITY_TAGS[kind]

    def emit(rng: Random, out: list[Token]) -> None:
        start = len(out)
        node(rng, out)
        tag = begin
        for position in range(start, len(out)):
            word, upos, _ = out[position]
            out[position] = (word, upos, tag)
            tag = inside

    return emit
