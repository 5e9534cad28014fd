from __future__ import annotations

import re
from random import Random

import pytest

from seqlab.sample.numerals import COMPUTED

SHAPES = {
    "num.count": r"\d+",
    "num.thousands": r"\d{3}|\d{4,5}|\d+,\d{3}",
    "num.decimal": r"\d+\.\d",
    "num.price": r"\d+\.\d\d",
    "num.year": r"1[789]\d\d|20[012]\d",
    "num.birth": r"1[789]\d\d",
    "num.death": r"19\d\d|20[012]\d",
    "num.decade": r"19\d0s",
    "num.day": r"[12]?\d|30",
    "num.clock": r"(\d|1[012]):\d\d",
    "num.clock24": r"[012]\d:[0-5]\d",
    "num.goals": r"[1-6]-[0-3]",
    "num.points": r"\d+-\d+",
    "num.set": r"[0-7]-[0-7]",
    "num.table": r"\d+",
    "num.date": r"[0-2]\d/[01]\d/20\d\d",
    "num.phone": r"555-\d{4}",
    "num.case": r"\d+/20[012]\d",
    "ordinal.digits": r"\d*(1st|2nd|3rd|\dth)",
    "code.flight": r"[A-Z]{2}\d{3}",
    "code.model": r"[A-Z]\d+",
    "web.url": r"(www\.|https?://)[a-z-]+\.example(/\S*)?",
    "web.email": r"[a-z.]+@[a-z-]+\.example",
}


def test_every_computed_slot_has_a_shape():
    assert set(SHAPES) == set(COMPUTED)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    draw, rng = COMPUTED[name][0], Random(3)
    values = {draw(rng) for _ in range(300)}
    assert len(values) >= 6
    assert [value for value in values if not re.fullmatch(SHAPES[name], value)] == []


def test_ordinals():
    draw, rng = COMPUTED["ordinal.digits"][0], Random(3)
    values = {draw(rng) for _ in range(2000)}
    assert {"2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd"} <= values
