"""The functions that patterns are compiled into.

Each takes a random number generator and a list, and appends the tokens of one expansion to the list.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

from seqlab.sample.surface import Token, capitalised

Emit = Callable[[Random, list[Token]], None]
"""Appends the tokens of one expansion to the list."""

ENTITY_TYPES = ("PER", "LOC", "ORG", "MISC")

T = TypeVar("T")


class WeightedChoice(Generic[T]):
    """Items that are drawn in proportion to their weights."""

    def __init__(self, items: Sequence[T], weights: Sequence[float]) -> None:
        self.items = items
        total = sum(weights)
        self._bounds = [part / total for part in accumulate(weights)][:-1]

    def draw(self, rng: Random) -> T:
        """Return one item."""
        return self.items[bisect_right(self._bounds, rng.random())]


def literal(token: Token) -> Emit:
    """Append one token."""
    return lambda rng, out: out.append(token)


def reference(rules: Mapping[str, Emit], name: str) -> Emit:
    """Expand a rule, which is looked up at expansion time, so that rules can be recursive."""
    return lambda rng, out: rules[name](rng, out)


def sequence(nodes: list[Emit]) -> Emit:
    """Expand all nodes in order."""
    if len(nodes) == 1:
        return nodes[0]

    def emit(rng: Random, out: list[Token]) -> None:
        for node in nodes:
            node(rng, out)

    return emit


def choice(options: list[tuple[Emit, int]]) -> Emit:
    """Expand one of several weighted nodes."""
    if len(options) == 1:
        return options[0][0]
    nodes: WeightedChoice[Emit] = WeightedChoice(*zip(*options, strict=True))
    return lambda rng, out: nodes.draw(rng)(rng, out)


def with_capital(node: Emit) -> Emit:
    """Expand a node and capitalise its first token."""

    def emit(rng: Random, out: list[Token]) -> None:
        start = len(out)
        node(rng, out)
        if len(out) > start:
            word, upos, ner = out[start]
            out[start] = (capitalised(word), upos, ner)

    return emit


def entity(kind: str, node: Emit) -> Emit:
    """Expand a node into one entity, which replaces any entities inside it."""

    def emit(rng: Random, out: list[Token]) -> None:
        start = len(out)
        node(rng, out)
        for position in range(start, len(out)):
            word, upos, _ = out[position]
            out[position] = (word, upos, f"B-{kind}" if position == start else f"I-{kind}")

    return emit
