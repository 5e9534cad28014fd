from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from seqlab.errors import SeqlabError
from seqlab.evaluation import error_page
from seqlab.evaluation.error_analysis import ERROR_KINDS, span_error_counts
from seqlab.evaluation.error_page import split_errors, write_error_page
from seqlab.evaluation.scores import score_sentences

SPANS = [
    (("Ann", "Lee", "saw", "Oslo"), ("B-PER", "I-PER", "O", "B-LOC"), ("B-PER", "O", "O", "B-ORG")),
    (("May", "rain", "in", "Bo"), ("O", "O", "O", "B-PER"), ("B-LOC", "O", "O", "O")),
    (("Oslo", "is", "Oslo"), ("B-LOC", "O", "B-LOC"), ("B-LOC", "O", "B-LOC")),
]
TAGS = [(("I", "run"), ("PRON", "VERB"), ("PRON", "NOUN")), (("a", "run"), ("DET", "NOUN"), ("DET", "NOUN"))]


class Elements(HTMLParser):
    """The elements of a page, the text of its data, and the attributes that would load something."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.loaded, self.data, self.current = [], [], "", None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.current = dict(attrs)
        self.loaded += [
            value for name, value in attrs if name in ("src", "href") and not value.startswith("#")
        ]

    def handle_endtag(self, tag):
        self.current = None

    def handle_data(self, data):
        if self.current and self.current.get("id") == "data":
            self.data += data


def written(path, *splits, **options):
    write_error_page(path, splits, **{"title": "ner on sample", **options})
    return Elements(path.read_text(encoding="utf-8"))


def test_spans_and_errors_are_those_of_the_sentence():
    split = split_errors(
        "dev",
        SPANS,
        spans=True,
        train_tokens={"Oslo"},
        places=[("a.conll", 1), ("a.conll", 6), ("b.conll", 1)],
    )
    words, labels = split["types"], split["labels"]
    number, place, ids, gold, [[predicted, errors]] = split["sentences"][0]
    assert (number, place, [words[id] for id in ids]) == (1, [0, 1], list(SPANS[0][0]))
    assert [(labels[label], start, end) for label, start, end in gold] == [("PER", 0, 2), ("LOC", 3, 4)]
    assert [(labels[label], start, end) for label, start, end in predicted] == [("PER", 0, 1), ("ORG", 3, 4)]
    assert [(ERROR_KINDS[kind], g, p) for kind, g, p in errors] == [
        ("wrong_boundary", 0, 0),
        ("wrong_type", 1, 1),
    ]
    assert [(ERROR_KINDS[kind], g, p) for kind, g, p in split["sentences"][1][4][0][1]] == [
        ("missed", 0, -1), ("spurious", -1, 0),
    ]  # fmt: skip
    assert (split["files"], split["sentences"][2][1]) == (["a.conll", "b.conll"], [1, 1])
    assert {words[id] for id in split["unseen"]} == {word for words, _, _ in SPANS for word in words} - {
        "Oslo"
    }


def test_the_page_counts_errors_and_scores_as_the_report_does():
    split = split_errors("dev", SPANS, spans=True)
    counts = dict.fromkeys(ERROR_KINDS, 0)
    for *_, [[_, errors]] in split["sentences"]:
        for kind, _, _ in errors:
            counts[ERROR_KINDS[kind]] += 1
    expected = span_error_counts(SPANS)
    assert counts == {kind: expected[kind] for kind in ERROR_KINDS}
    assert split["scores"] == [score_sentences(SPANS, spans=True)["span_f1"]]
    assert split["unseen"] is None


def test_every_wrong_tag_is_an_error():
    split = split_errors("dev", TAGS, spans=False)
    first, second = (sentence[3:] for sentence in split["sentences"])
    assert split["kinds"] == ["wrong_tag"]
    assert [split["labels"][label] for label in first[0]] == ["PRON", "VERB"]
    assert [split["labels"][label] for label in first[1][0][0]] == ["PRON", "NOUN"]
    assert first[1][0][1] == [[0, 1, 1]]
    assert second[1] == [[[], []]], "the predicted tags of a sentence without errors are its gold tags"
    assert split["scores"] == [0.75]


def test_a_second_run_has_its_own_predictions_and_errors():
    other = [(tokens, gold, gold) for tokens, gold, _ in SPANS]
    split = split_errors("dev", SPANS, spans=True, other=other)
    assert [len(errors) for _, errors in split["sentences"][0][4]] == [2, 0]
    assert split["scores"][1] == 1.0


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            SPANS[:2],
            r"different sentences of dev\n  expected: 3 .*\n  received: 2 sentences\n  remedy: compare",
        ),
        ([*SPANS[:2], (("Oslo", "is", "big"), *SPANS[2][1:])], "different tokens in sentence 3 of dev"),
        ([(SPANS[0][0], ("O",) * 4, SPANS[0][2]), *SPANS[1:]], "different gold tags in sentence 1 of dev"),
    ],
)
def test_runs_on_different_sentences_are_refused(other, message):
    with pytest.raises(SeqlabError, match=message):
        split_errors("dev", SPANS, spans=True, other=other)


def test_a_large_split_keeps_the_sentences_with_errors(monkeypatch):
    monkeypatch.setattr(error_page, "MAX_CORRECT", 2)
    split = split_errors("dev", SPANS, spans=True)
    assert (split["total"], [sentence[0] for sentence in split["sentences"]]) == (3, [1, 2])


def test_a_page_is_one_file_that_loads_nothing(tmp_path):
    page = written(tmp_path / "errors.html", split_errors("dev", SPANS, spans=True))
    assert page.loaded == []
    data = json.loads(page.data)
    assert (data["title"], data["runs"], data["splits"][0]["name"]) == ("ner on sample", ["this run"], "dev")


@pytest.mark.parametrize(
    "token",
    ["<script>alert(1)</script>", "</script>", "<!--<script>", "&lt;", '"\\', "\u2028", "\ud800", "{{data}}"],
)
def test_no_token_tag_or_title_is_read_as_html(token, tmp_path):
    plain = written(tmp_path / "plain.html", split_errors("dev", TAGS, spans=False))
    sentences = [((token,), (token,), ("NOUN",))]
    page = written(
        tmp_path / "errors.html",
        split_errors("dev", sentences, spans=False),
        title=token.replace("\ud800", ""),
        runs=[token],
    )
    assert page.tags == plain.tags
    data = json.loads(page.data)
    split = data["splits"][0]
    assert (split["types"], sorted(split["labels"]), data["runs"]) == (
        [token],
        sorted(["NOUN", token]),
        [token],
    )
