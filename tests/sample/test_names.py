from __future__ import annotations

from seqlab.sample.names import made_names, made_words

STEMS = {
    **{name: ["ba", "do"] for name in ("onset", "vowel", "coda")},
    **{key: [f"x{i}" for i in range(200)] for key in ("surname_end", "town_end", "firm_end", "product_end")},
    **{
        key: ["long"]
        for key in ("adj_front", "adj_noun", "adj_prefix", "thing_front", "idea_prefix", "verb_prefix")
    },
    **{key: ["term", "long"] for key in ("adj_back", "adj_relation", "adj_of", "thing_back", "idea", "verb")},
    **{key: ["soft"] for key in ("adj_whole", "quality", "agent")},
}


def test_names_are_distinct_capitalised_and_deterministic():
    names = made_names(STEMS)
    assert names == made_names(STEMS)
    assert {name: len(set(found)) for name, found in names.items()} == {
        "last.made": 4000,
        "place.made": 2500,
        "org.made": 2000,
        "product.made": 1500,
    }
    assert all(name[0].isupper() and name[1:].islower() for name in names["last.made"])


def test_compounds_do_not_repeat_a_stem():
    words = made_words(STEMS)
    assert sorted(words["adj.made"]) == ["long-term", "longterm", "soft"]
    assert words["noun.compound"] == ["longterm"]
    assert set(words["noun.quality"]) == {"softness", "longterm"}
