from __future__ import annotations

from random import Random

import pytest

from seqlab.sample.lexicon import function_words, is_held_out, lemma, lexica, role_of, slot


def drawn(name: str, *, held_out: bool, draws: int = 20_000) -> set[tuple[tuple[str, str, str], ...]]:
    emit, rng, seen = slot(name, held_out=held_out), Random(1), set()
    for _ in range(draws):
        out = []
        emit(rng, out)
        seen.add(tuple(out))
    return seen


@pytest.mark.parametrize(
    ("item", "expected"), [("take:took:taken", "take"), ("stop+", "stop"), ("May!", "May")]
)
def test_lemma(item, expected):
    assert lemma(item) == expected


@pytest.mark.parametrize(
    ("role", "low", "high"),
    [
        ("last", 0.12, 0.18),
        ("place", 0.11, 0.18),
        ("org", 0.11, 0.18),
        ("noun", 0.07, 0.12),
        ("adj", 0.07, 0.12),
    ],
)
def test_held_out_share(role, low, high):
    items = {item for name, found in lexica().items() if role_of(name) == role for item in found}
    assert low <= sum(is_held_out(role, item) for item in items) / len(items) <= high


def test_words_with_several_roles_and_marked_words_are_never_held_out():
    assert not any(is_held_out(role, "record") for role in ("noun", "verb"))
    assert not any(is_held_out("last", item) for item in lexica()["last.place"])
    assert not is_held_out("first", "May!")


def test_closed_classes_are_never_held_out():
    assert not any(is_held_out("intj", item) for item in lexica()["intj.any"])


def test_train_draws_only_items_that_are_not_held_out():
    train, others = drawn("last.common", held_out=False), drawn("last.common", held_out=True)
    assert train < others
    added = {"_".join(word for word, _, _ in tokens) for tokens in others - train}
    assert all(is_held_out("last", name) for name in added)


def test_tags_inside_items_of_several_tokens():
    assert (("Isle", "PROPN", "O"), ("of", "ADP", "O")) in drawn("place.head", held_out=True)
    assert (("Doctors", "PROPN", "O"), ("without", "ADP", "O"), ("Borders", "PROPN", "O")) in drawn(
        "org.body", held_out=True
    )


def test_forms():
    assert (("children", "NOUN", "O"),) in drawn("noun.person.pl", held_out=True)
    assert (("taken", "VERB", "O"),) in drawn("verb.thing.part", held_out=True)
    assert (("Germans", "PROPN", "O"),) in drawn("nat.noun.pl", held_out=True)
    assert all(upos == "NUM" for ((_, upos, _),) in drawn("num.year", held_out=True))


@pytest.mark.parametrize("name", ["noun.nothing.sg", "noun.person.past", "nothing"])
def test_unknown_slots(name):
    with pytest.raises(KeyError):
        slot(name, held_out=True)


def test_function_words_have_one_tag_each():
    words = function_words()
    assert words["the"] == "DET"
    assert not {"that", "to", "like", "as", "will", "may", "have", "her"} & set(words)
