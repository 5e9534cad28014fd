from __future__ import annotations

import pytest

from seqlab.sample.morphology import noun_forms, takes_an, verb_forms


@pytest.mark.parametrize(
    ("entry", "plural"),
    [
        ("report", "reports"),
        ("city", "cities"),
        ("day", "days"),
        ("box", "boxes"),
        ("wish", "wishes"),
        ("child:children", "children"),
    ],
)
def test_plurals(entry, plural):
    assert noun_forms(entry) == {"sg": entry.partition(":")[0], "pl": plural}


@pytest.mark.parametrize(
    ("entry", "forms"),
    [
        ("open", "open opens open opened opened opening"),
        ("close", "close closes close closed closed closing"),
        ("stop+", "stop stops stop stopped stopped stopping"),
        ("carry", "carry carries carry carried carried carrying"),
        ("play", "play plays play played played playing"),
        ("take:took:taken", "take takes take took taken taking"),
        ("hold:held", "hold holds hold held held holding"),
        ("cut+:cut:cut", "cut cuts cut cut cut cutting"),
        ("go:went:gone", "go goes go went gone going"),
        ("die", "die dies die died died dying"),
        ("agree", "agree agrees agree agreed agreed agreeing"),
    ],
)
def test_verbs(entry, forms):
    names = ("base", "sg", "pl", "past", "part", "ing")
    assert verb_forms(entry) == dict(zip(names, forms.split(), strict=True))


@pytest.mark.parametrize(
    "word", ["apple", "hour", "honest", "8", "11", "18", "80", "MP", "F1", "unopened", "Indian"]
)
def test_an(word):
    assert takes_an(word)


@pytest.mark.parametrize(
    "word",
    ["report", "university", "user", "one", "European", "U.S.", "1", "12", "100", "house", "BBC", "union"],
)
def test_a(word):
    assert not takes_an(word)
