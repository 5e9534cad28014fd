from __future__ import annotations

import pytest
from conlleval import conlleval
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqlab.errors import SeqlabError
from seqlab.evaluation.predictions import (
    TaggedSentence,
    read_predictions,
    spell_as_iob2,
    write_predictions,
)
from seqlab.evaluation.scores import score_sentences

SENTENCES = [
    TaggedSentence(("Ann", "saw", "Oslo"), ("B-PER", "O", "B-LOC"), ("B-PER", "O", "B-ORG")),
    TaggedSentence(("Rain",), ("O",), ("O",)),
]


def test_file_has_the_columns_that_conlleval_reads(tmp_path):
    path = tmp_path / "dev.conll"
    write_predictions(path, SENTENCES)
    assert path.read_bytes() == b"Ann B-PER B-PER\nsaw O O\nOslo B-LOC B-ORG\n\nRain O O\n\n"


def test_round_trip(tmp_path):
    path = tmp_path / "dev.conll"
    write_predictions(path, iter(SENTENCES))
    assert list(read_predictions(path)) == SENTENCES


@pytest.mark.parametrize(
    ("token", "column"),
    [
        ("10 000", r"10\u0020000"),
        ("10\u00a0000", r"10\u00a0000"),
        ("a\tb", r"a\u0009b"),
        ("a\u2028b", r"a\u2028b"),
        ("\u3000", r"\u3000"),
        ("\ufeffBOM", r"\ufeffBOM"),
        ("-X-", r"\u002dX-"),
        ("-X-Y", "-X-Y"),
        ("#", "#"),
        (r"1\/2", r"1\/2"),
        (r"C:\users", r"C:\users"),
        (r"\u00a0", r"\u005cu00a0"),
        ("\\\u00a0", r"\\u00a0"),
        ("Łódź", "Łódź"),
        ("😀", "😀"),
    ],
)
def test_round_trip_of_tokens_that_need_escaping(token, column, tmp_path):
    path = tmp_path / "odd.conll"
    sentence = TaggedSentence((token, "x"), ("O", "B-X"), ("B-X", "O"))
    write_predictions(path, [sentence])
    assert path.read_text(encoding="utf-8").split("\n")[0] == f"{column} O B-X"
    assert list(read_predictions(path)) == [sentence]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(min_size=1) | st.text(alphabet="\\u0a5c -X", min_size=1), min_size=1, max_size=5))
def test_round_trip_of_any_token(tmp_path, tokens):
    path = tmp_path / "any.conll"
    sentence = TaggedSentence(tuple(tokens), ("O",) * len(tokens), ("O",) * len(tokens))
    write_predictions(path, [sentence])
    assert list(read_predictions(path)) == [sentence]
    assert all(len(line.split()) in (0, 3) for line in path.read_text(encoding="utf-8").split("\n"))


def test_conlleval_reads_the_file(tmp_path):
    sentences = [
        (("-X-", "New\u00a0York", "a b"), ("O", "B-LOC", "I-LOC"), ("O", "B-LOC", "I-LOC")),
        *SENTENCES,
    ]
    path = tmp_path / "test.conll"
    write_predictions(path, sentences)
    tally = conlleval(path.read_text(encoding="utf-8"), bioes=False)
    ours = score_sentences(sentences, spans=True)
    assert tally.tokens == ours["tokens"] == 7
    assert tally.accuracy == pytest.approx(100 * ours["token_accuracy"])
    scores = [100 * ours[name] for name in ("span_precision", "span_recall", "span_f1")]
    assert [f"{score:.2f}" for score in scores] == [f"{score:.2f}" for score in tally.percentages()]
    assert [f"{score:.2f}" for score in scores] == ["66.67", "66.67", "66.67"]


def test_tags_are_converted_to_iob2():
    sentence = (("a", "b", "c", "d"), ("S-X", "S-X", "B-Y", "E-Y"), ("I-X", "I-X", "E-Y", "<unk>"))
    assert list(spell_as_iob2([sentence])) == [
        TaggedSentence(sentence[0], ("B-X", "B-X", "B-Y", "I-Y"), ("B-X", "I-X", "B-Y", "O"))
    ]


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        (((), (), ()), "sentence 2: 0 tokens, 0 gold tags, 0 predicted tags"),
        ((("a", "b"), ("O", "O"), ("O",)), "sentence 2: 2 tokens, 2 gold tags, 1 predicted tags"),
        ((("",), ("O",), ("O",)), r"sentence 2: cannot write \('', 'O', 'O'\) as columns"),
        ((("a",), ("B X",), ("O",)), r"sentence 2: cannot write \('a', 'B X', 'O'\) as columns"),
        ((("a",), ("O",), ("",)), r"sentence 2: cannot write \('a', 'O', ''\) as columns"),
    ],
)
def test_invalid_sentences_are_an_error_and_keep_the_old_file(sentence, message, tmp_path):
    path = tmp_path / "dev.conll"
    path.write_text("old")
    with pytest.raises(ValueError, match=message):
        write_predictions(path, [SENTENCES[0], sentence])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_empty_lines_are_optional_at_the_end_and_may_repeat(tmp_path):
    path = tmp_path / "dev.conll"
    path.write_text("\n\na O B-X\n\n\nb O O")
    assert list(read_predictions(path)) == [
        TaggedSentence(("a",), ("O",), ("B-X",)),
        TaggedSentence(("b",), ("O",), ("O",)),
    ]


@pytest.mark.parametrize("line", ["a O", "a b O O", "a  O", " "])
def test_wrong_number_of_columns_is_an_error(line, tmp_path):
    path = tmp_path / "dev.conll"
    path.write_text(f"a O O\n\n{line}\n")
    with pytest.raises(SeqlabError, match="wrong number of columns") as caught:
        list(read_predictions(path))
    assert caught.value.where == f"{path}:3"
    assert caught.value.received == repr(line)


def test_file_that_is_not_utf8_is_an_error(tmp_path):
    path = tmp_path / "dev.conll"
    path.write_bytes(b"caf\xe9 O O\n")
    with pytest.raises(SeqlabError, match="not UTF-8") as caught:
        list(read_predictions(path))
    assert str(path) in str(caught.value)
    assert r"b'\xe9'" in caught.value.received
