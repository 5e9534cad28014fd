from __future__ import annotations

import re
from random import Random

import pytest

from seqlab.errors import SeqlabError
from seqlab.sample.generator import pattern_files
from seqlab.sample.grammar import Compiler, read_pattern_file
from seqlab.sample.lexicon import lexica
from seqlab.sample.numerals import COMPUTED

FUNCTION_WORDS = {"the": "DET", "is": "AUX", "are": "AUX", "of": "ADP", ".": "PUNCT"}


def slot(name):
    if name not in ("noun.sg", "noun.pl", "last"):
        raise KeyError(name)
    return lambda rng, out: out.append((name, "NOUN", "O"))


def compiler(*rules: tuple[str, str]) -> Compiler:
    made = Compiler(slot=slot, function_words=FUNCTION_WORDS)
    for name, text in rules:
        made.add_rule(name, text, "rules:1")
    return made


def expansions(text: str, *rules: tuple[str, str], draws: int = 200) -> set[str]:
    """All expansions drawn, as `word/UPOS/NER` separated by blanks."""
    made = compiler(*rules)
    emit = made.compile(text, "here:1")
    made.finish()
    rng, seen = Random(1), set()
    for _ in range(draws):
        out = []
        emit(rng, out)
        seen.add(" ".join("/".join(token) for token in out))
    return seen


def words(text: str, *rules: tuple[str, str]) -> set[str]:
    return {re.sub(r"/\S+", "", expansion) for expansion in expansions(text, *rules)}


def test_words_have_their_written_tag_or_that_of_the_function_word():
    assert expansions("The bank/NOUN of 1/2/NUM .") == {"The/DET/O bank/NOUN/O of/ADP/O 1/2/NUM/O ./PUNCT/O"}


def test_choices_nest_and_may_be_empty():
    assert words("[ the | [ is | of ] . | ] .") == {"the .", "is . .", "of . .", "."}


def test_question_mark_makes_an_item_optional():
    assert words("the ?[ is of ] ?{r}", ("r", ".")) == {"the", "the is of", "the .", "the is of ."}


def test_weights():
    made = compiler()
    emit, rng, out = made.compile("[ the %3 | of ]", "here:1"), Random(1), []
    for _ in range(4000):
        emit(rng, out)
    assert sum(token[0] == "the" for token in out) / 4000 == pytest.approx(0.75, abs=0.03)


def test_only_the_outermost_entity_is_tagged():
    assert expansions("the ORG( <last> of LOC( <last> <last> ) ) .") == {
        "the/DET/O last/NOUN/B-ORG of/ADP/I-ORG last/NOUN/I-ORG last/NOUN/I-ORG ./PUNCT/O"
    }


def test_adjacent_entities_are_separate():
    assert expansions("LOC( <last> ) LOC( <last> )") == {"last/NOUN/B-LOC last/NOUN/B-LOC"}


def test_round_brackets_are_tokens():
    assert words("the ( of [ is | are ] ) .") == {"the ( of is ) .", "the ( of are ) ."}


def test_caret_capitalises_the_next_item():
    assert words(". ^ [ the | of ] is") == {". The is", ". Of is"}


def test_number_is_drawn_once_per_alternative():
    rules = (("be.sg", "is"), ("be.pl", "are"), ("np.$n", "the <noun.$n>"))
    assert words("{np.$n} {be.$n}", *rules) == {"the noun.sg is", "the noun.pl are"}


def test_rules_may_have_several_lines_and_be_recursive():
    found = words("{r}", ("r", "the"), ("r", "of {r}"))
    assert {"the", "of the", "of of the"} <= found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the bank", "word without a tag"),
        ("<noun.dual>", "no such slot"),
        ("{nothing}", "no such rule"),
        ("[ the | of", "unclosed bracket"),
        ("PER( <last>", "unclosed bracket"),
    ],
)
def test_errors_contain_the_location(text, message):
    with pytest.raises(SeqlabError, match=message) as caught:
        expansions(text)
    assert str(caught.value).startswith("here:1: ")


def test_pattern_file_with_continuation_and_weights():
    file = read_pattern_file(
        "tiny", "# comment\ngenre: weight 3, lower 0.25\nr.$n = a |\n  b\n\n- the {r.sg} . %2\n- the .\n"
    )
    assert (file.weight, file.styles) == (3, {"lower": 0.25})
    assert file.rules == [("r.$n", "a | b", "tiny:3")]
    assert [(p.text, p.weight, p.where) for p in file.patterns] == [
        ("the {r.sg} .", 2, "tiny:6"),
        ("the .", 1, "tiny:7"),
    ]


def test_invalid_line_is_an_error():
    with pytest.raises(SeqlabError, match="tiny:2: invalid line in a pattern file"):
        read_pattern_file("tiny", "- the .\nthe .\n")


def _spellings(name: str) -> set[str]:
    names = {name}
    for variable, values in (
        ("$n", ("sg", "pl")),
        ("$g", ("m", "f")),
        ("$f", ("base", "sg", "pl", "past", "part", "ing")),
    ):
        names = {found.replace(variable, value) for found in names for value in values}
    return names


def _written() -> str:
    files = pattern_files()
    bodies = [text for file in files for _, text, _ in file.rules]
    return " ".join(bodies + [pattern.text for file in files for pattern in file.patterns])


def test_every_rule_is_used_and_defined_in_one_file():
    used = {name for found in re.findall(r"\{([^}]+)\}", _written()) for name in _spellings(found)}
    homes: dict[str, str] = {}
    for file in pattern_files():
        for rule, _, where in file.rules:
            assert homes.setdefault(rule, file.name) == file.name, where
            assert _spellings(rule) & used, f"{where}: {rule} is never used"


def test_every_lexicon_is_used():
    used = {name for found in re.findall(r"<([^>]+)>", _written()) for name in _spellings(found)}
    used |= {name.rpartition(".")[0] for name in used}
    assert [name for name in (*lexica(), *COMPUTED) if name not in used] == []
