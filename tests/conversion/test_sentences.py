from __future__ import annotations

from seqlab.conversion.records import CharacterSpan, TextRecord, TokenRecord
from seqlab.conversion.sentences import make_sentences
from seqlab.errors import CorpusError
from seqlab.text.text_tokenizer import TextTokenizer
from seqlab.text.tokenizer_rules import tokenizer_rules


def make(reading, *records, **options):
    found = list(make_sentences(records, reading=reading, **options))
    return (
        [sentence for sentence in found if not isinstance(sentence, CorpusError)],
        [sentence for sentence in found if isinstance(sentence, CorpusError)],
        [(warning.what, warning.line, warning.received) for warning in reading.warnings.listed],
    )


def test_texts_have_the_tokens_of_the_exported_tagger(reading):
    texts = ["Dr. Smith didn't pay $1,000.", "(U.S. 😀)", "x"]
    sentences, _, warnings = make(reading, *map(TextRecord, texts))
    found = TextTokenizer(tokenizer_rules())(texts)
    assert [token for sentence in sentences for token in sentence.tokens] == found.tokens
    assert [start for sentence in sentences for start in sentence.starts] == found.starts.tolist()
    assert warnings == []


def test_spans_are_written_in_the_scheme(reading):
    record = TextRecord("Marie Curie", (CharacterSpan("PER", 0, 11),))
    for scheme, tags in (
        ("IOB2", ("B-PER", "I-PER")),
        ("BIOES", ("B-PER", "E-PER")),
        ("IOB1", ("I-PER", "I-PER")),
    ):
        ((sentence,), _, _) = make(reading, record, tag_scheme=scheme)
        assert sentence.columns == {"ner": tags}


def test_lines_as_sentences(reading):
    text = "In Oslo\r\n\r\nNew\nYork\n"
    spans = (CharacterSpan("LOC", 3, 7), CharacterSpan("LOC", 11, 19), CharacterSpan("X", 15, 19))
    sentences, _, warnings = make(reading, TextRecord(text, spans, "a.txt"), split_lines=True)
    assert [(list(s.tokens), s.columns["ner"], s.text, s.line) for s in sentences] == [
        (["In", "Oslo"], ("O", "B-LOC"), "In Oslo", 1),
        (["New"], ("O",), "New", 3),
        (["York"], ("B-X",), "York", 4),
    ]
    assert warnings == [("left out: a span that is not within one line", 0, "LOC, 'New\\nYork'")]


def test_order_is_kept_and_errors_are_passed_on(reading):
    error = CorpusError("bad")
    records = [TextRecord("a"), TokenRecord(("b",), {"ner": ("O",)}), error, TextRecord("c"), TextRecord(" ")]
    found = list(make_sentences(records, reading=reading))
    assert [item if item is error else list(item.tokens) for item in found] == [["a"], ["b"], error, ["c"]]
    assert [warning.what for warning in reading.warnings.listed] == ["left out: a text without tokens"]


def test_tokens_without_a_text_are_joined_by_blanks(reading):
    ((sentence,), _, _) = make(reading, TokenRecord(("EU", "rejects", "x"), {"ner": ("B-ORG", "O", "B-X")}))
    assert sentence.text == "EU rejects x"
    assert sentence.spans("ner") == [CharacterSpan("ORG", 0, 2), CharacterSpan("X", 11, 12)]


def test_tokens_are_found_in_their_text(reading):
    columns = {"pos": ("A", "B", "C")}
    ((sentence,), _, _) = make(reading, TokenRecord(("do", "n't", "x"), columns, text=" don't  x"))
    assert (sentence.text, list(sentence.starts), list(sentence.ends)) == (" don't  x", [1, 3, 8], [3, 6, 9])
    assert sentence.spans("pos") == [
        CharacterSpan("A", 1, 3),
        CharacterSpan("B", 3, 6),
        CharacterSpan("C", 8, 9),
    ]
    ((sentence,), _, _) = make(reading, TokenRecord(("do", "n't", "x"), columns, text="do not x"))
    assert sentence.text == "do n't x"


def test_tokens_that_columns_cannot_contain(reading):
    record = TokenRecord((" ", "a\tb ", "\u00a0c"), {"ner": ("O", "B-X", "O")}, line=5)
    ((sentence,), _, warnings) = make(reading, record)
    assert (sentence.tokens, sentence.columns) == (["a b", "\u00a0c"], {"ner": ["B-X", "O"]})
    assert warnings == [
        ("left out: a token of blanks", 5, "' '"),
        ("blanks at the edges of a token are removed", 5, "'a\\tb '"),
    ]


def test_document_breaks(reading):
    tags = {"ner": ("O",)}
    sentences, errors, warnings = make(
        reading, TokenRecord(("-DOCSTART-",), tags), TextRecord("a -DOCSTART-")
    )
    assert sentences == warnings == []
    (error,) = errors
    assert error.received == "-DOCSTART-"
