"""Slots whose tokens are computed: numbers, dates, scores, codes and addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

_SITES = (
    "tarnhelp", "oldmill-books", "greenline", "sevenoaks",
    "routefinder", "kestrelnet", "citydesk", "brightshop",
)  # fmt: skip
_PATHS = ("", "/news", "/faq", "/help", "/offers", "/index.html")
_USERS = ("info", "press", "help", "editor", "j.hall", "office", "bookings")
_SETS = ("6-4", "6-3", "7-5", "6-2", "7-6", "6-1", "3-6", "4-6", "6-0", "2-6")


def _below(rng: Random, limit: int) -> int:
    return int(rng.random() * limit)


def _skewed(rng: Random, limit: int) -> int:
    """Return a number from 1 to limit, small numbers far more often than large ones."""
    return 1 + int(limit * rng.random() ** 3)


def _one_of(rng: Random, items: Sequence[T]) -> T:
    return items[_below(rng, len(items))]


def _thousands(rng: Random) -> str:
    value = _skewed(rng, 60) * (100 if rng.random() < 0.6 else 1000)
    return f"{value:,}" if rng.random() < 0.8 else str(value)


def _year(rng: Random) -> str:
    return str(2026 - _skewed(rng, 60) if rng.random() < 0.85 else 1700 + _below(rng, 250))


def _ordinal(rng: Random) -> str:
    value = 1 + _skewed(rng, 38)
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th") if value not in (11, 12, 13) else "th"
    return f"{value}{suffix}"


def _model(rng: Random) -> str:
    number = _one_of(rng, (1, 2, 3, 5, 7, 9, 10, 20, 50, 100, 300, 500))
    return f"{_one_of(rng, 'ABCDEGHKMPQRSTVXZ')}{number}"


def _url(rng: Random) -> str:
    path = _one_of(rng, _PATHS)
    return f"{_one_of(rng, ('www.', 'http://', 'https://'))}{_one_of(rng, _SITES)}.example{path}"


COMPUTED: dict[str, tuple[Callable[[Random], str], str]] = {
    "num.count": (lambda rng: str(2 + _skewed(rng, 97)), "NUM"),
    "num.thousands": (_thousands, "NUM"),
    "num.decimal": (lambda rng: f"{_skewed(rng, 40)}.{_below(rng, 10)}", "NUM"),
    "num.price": (lambda rng: f"{_skewed(rng, 80)}.{_one_of(rng, (99, 50, 95, 25, 0, 75)):02d}", "NUM"),
    "num.year": (_year, "NUM"),
    "num.birth": (lambda rng: str(1950 - _skewed(rng, 250)), "NUM"),
    "num.death": (lambda rng: str(1950 + _below(rng, 75)), "NUM"),
    "num.decade": (lambda rng: f"{_one_of(rng, (1920, 1950, 1960, 1970, 1980, 1990))}s", "NOUN"),
    "num.day": (lambda rng: str(1 + _below(rng, 30)), "NUM"),
    "num.clock": (
        lambda rng: f"{1 + _below(rng, 12)}:{_one_of(rng, (0, 15, 30, 45, 5, 20, 40, 50)):02d}",
        "NUM",
    ),
    "num.clock24": (lambda rng: f"{5 + _below(rng, 19):02d}:{5 * _below(rng, 12):02d}", "NUM"),
    "num.goals": (lambda rng: f"{_skewed(rng, 5)}-{_below(rng, 4)}", "NUM"),
    "num.points": (lambda rng: f"{80 + _below(rng, 45)}-{70 + _below(rng, 45)}", "NUM"),
    "num.set": (lambda rng: _one_of(rng, _SETS), "NUM"),
    "num.table": (lambda rng: str(_skewed(rng, 60)), "NUM"),
    "num.date": (
        lambda rng: f"{1 + _below(rng, 28):02d}/{1 + _below(rng, 12):02d}/{2005 + _below(rng, 20)}",
        "NUM",
    ),
    "num.phone": (lambda rng: f"555-{_below(rng, 10000):04d}", "NUM"),
    "num.case": (lambda rng: f"{_skewed(rng, 90)}/{2000 + _below(rng, 25)}", "NUM"),
    "ordinal.digits": (_ordinal, "ADJ"),
    "code.flight": (
        lambda rng: f"{_one_of(rng, 'ABDEFKLNQSTUVZ')}{_one_of(rng, 'ACEFHKLRSXY')}{100 + _below(rng, 880)}",
        "PROPN",
    ),
    "code.model": (_model, "PROPN"),
    "web.url": (_url, "X"),
    "web.email": (lambda rng: f"{_one_of(rng, _USERS)}@{_one_of(rng, _SITES)}.example", "X"),
}
"""The function that computes each slot's token, and the token's UPOS tag."""
