from __future__ import annotations

import pytest

from seqlab.sample.surface import fix_articles, fix_commas, restyle


def tokens(text: str) -> list[tuple[str, str, str]]:
    return [(*item.rsplit("/", 1), "O") for item in text.split()]


def words(items: list[tuple[str, str, str]]) -> str:
    return " ".join(item[0] for item in items)


def test_articles():
    items = tokens("a/DET apple/NOUN a/DET pear/NOUN A/DET oven/NOUN a/NOUN orange/ADJ a/DET")
    fix_articles(items)
    assert words(items) == "an apple a pear An oven a orange a"


def test_commas_before_punctuation_are_removed():
    items = tokens('x/X ,/PUNCT ,/PUNCT y/X ,/PUNCT ./PUNCT ,/PUNCT "/PUNCT')
    fix_commas(items)
    assert words(items) == 'x , y . , "'


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("sentence", '" The bank of Rome www.a.example'),
        ("upper", '" THE BANK OF ROME www.a.example'),
        ("lower", '" the bank of rome www.a.example'),
        ("title", '" The Bank of Rome www.a.example'),
    ],
)
def test_styles(style, expected):
    items = tokens('"/PUNCT the/DET bank/NOUN of/ADP Rome/PROPN www.a.example/X')
    restyle(items, style)
    assert words(items) == expected
