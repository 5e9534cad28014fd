"""Numbers, dates, scores, addresses: the slots whose fillers are computed, not listed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Draw = Callable[[Random], str]


def _below(rng: Random, limit: int) -> int:
    return int(rng.random() * limit)


def _skewed(rng: Random, limit: int) -> int:
    """From 1 to limit, small numbers far more often than large ones."""
    return 1 + int(limit * rng.random() ** 3)


def _count(rng: Random) -> str:
    return str(2 + _skewed(rng, 97))


def _thousands(rng: Random) -> str:
    value = _skewed(rng, 60) * (100 if rng.random() < 0.6 else 1000)
    return f"{value:,}" if rng.random() < 0.8 else str(value)


def _decimal(rng: Random) -> str:
    return f"{_skewed(rng, 40)}.{_below(rng, 10)}"


def _price(rng: Random) -> str:
    return f"{_skewed(rng, 80)}.{(99, 50, 95, 25, 0, 75)[_below(rng, 6)]:02d}"


def _year(rng: Random) -> str:
    return str(2025 - _skewed(rng, 60) + 1) if rng.random() < 0.85 else str(1700 + _below(rng, 250))


def _birth_year(rng: Random) -> str:
    return str(1950 - _skewed(rng, 250))


def _death_year(rng: Random) -> str:
    return str(1950 + _below(rng, 75))


def _decade(rng: Random) -> str:
    return f"{(1920, 1950, 1960, 1970, 1980, 1990)[_below(rng, 6)]}s"


def _day(rng: Random) -> str:
    return str(1 + _below(rng, 30))


def _clock(rng: Random) -> str:
    return f"{1 + _below(rng, 12)}:{(0, 15, 30, 45, 5, 20, 40, 50)[_below(rng, 8)]:02d}"


def _clock24(rng: Random) -> str:
    return f"{5 + _below(rng, 19):02d}:{5 * _below(rng, 12):02d}"


def _goals(rng: Random) -> str:
    return f"{_skewed(rng, 5)}-{_below(rng, 4)}"


def _points(rng: Random) -> str:
    return f"{80 + _below(rng, 45)}-{70 + _below(rng, 45)}"


def _set(rng: Random) -> str:
    return ("6-4", "6-3", "7-5", "6-2", "7-6", "6-1", "3-6", "4-6", "6-0", "2-6")[_below(rng, 10)]


def _table_points(rng: Random) -> str:
    return str(_skewed(rng, 60))


def _flight(rng: Random) -> str:
    return f"{'ABDEFKLNQSTUVZ'[_below(rng, 14)]}{'ACEFHKLRSXY'[_below(rng, 11)]}{100 + _below(rng, 880)}"


def _model(rng: Random) -> str:
    number = (1, 2, 3, 5, 7, 9, 10, 20, 50, 100, 300, 500)[_below(rng, 12)]
    return f"{'ABCDEGHKMPQRSTVXZ'[_below(rng, 17)]}{number}"


def _slash_date(rng: Random) -> str:
    return f"{1 + _below(rng, 28):02d}/{1 + _below(rng, 12):02d}/{2005 + _below(rng, 20)}"


def _phone(rng: Random) -> str:
    return f"555-{_below(rng, 10000):04d}"


def _ordinal(rng: Random) -> str:
    value = 1 + _skewed(rng, 38)
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th") if value not in (11, 12, 13) else "th"
    return f"{value}{suffix}"


def _case_number(rng: Random) -> str:
    return f"{_skewed(rng, 90)}/{2000 + _below(rng, 25)}"


_SITES = (
    "tarnhelp",
    "oldmill-books",
    "greenline",
    "sevenoaks",
    "routefinder",
    "kestrelnet",
    "citydesk",
    "brightshop",
)


def _url(rng: Random) -> str:
    path = ("", "/news", "/faq", "/help", "/offers", "/index.html")[_below(rng, 6)]
    return (
        f"{('www.', 'http://', 'https://')[_below(rng, 3)]}{_SITES[_below(rng, len(_SITES))]}.example{path}"
    )


def _email(rng: Random) -> str:
    user = ("info", "press", "help", "editor", "j.hall", "office", "bookings")[_below(rng, 7)]
    return f"{user}@{_SITES[_below(rng, len(_SITES))]}.example"


COMPUTED: dict[str, tuple[Draw, str]] = {
    "num.count": (_count, "NUM"),
    "num.thousands": (_thousands, "NUM"),
    "num.decimal": (_decimal, "NUM"),
    "num.price": (_price, "NUM"),
    "num.year": (_year, "NUM"),
    "num.birth": (_birth_year, "NUM"),
    "num.death": (_death_year, "NUM"),
    "num.decade": (_decade, "NOUN"),
    "num.day": (_day, "NUM"),
    "num.clock": (_clock, "NUM"),
    "num.clock24": (_clock24, "NUM"),
    "num.goals": (_goals, "NUM"),
    "num.points": (_points, "NUM"),
    "num.set": (_set, "NUM"),
    "num.table": (_table_points, "NUM"),
    "num.date": (_slash_date, "NUM"),
    "num.phone": (_phone, "NUM"),
    "num.case": (_case_number, "NUM"),
    "ordinal.digits": (_ordinal, "ADJ"),
    "code.flight": (_flight, "PROPN"),
    "code.model": (_model, "PROPN"),
    "web.url": (_url, "X"),
    "web.email": (_email, "X"),
}
"""Slot name -> how its token is drawn, and its UPOS tag."""
