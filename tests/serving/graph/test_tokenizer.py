from __future__ import annotations

import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqlab.serving.graph.tokenizer import GraphTokenizer

TOKENIZER = GraphTokenizer()
TOKENIZE = tf.function(TOKENIZER.__call__, input_signature=[tf.TensorSpec([None], tf.string)])


def tokenize(*texts: str) -> list[str]:
    """Return the tokens of each text, joined by blanks; also check their offsets."""
    found, row_lengths, offsets = TOKENIZE(tf.constant([text.encode() for text in texts], tf.string))
    tokens = [token.decode() for token in found.numpy()]
    rows = [text for text, n in zip(texts, row_lengths.numpy(), strict=True) for _ in range(n)]
    for i, (token, text) in enumerate(zip(tokens, rows, strict=True)):
        assert text[offsets["token_starts"][i] : offsets["token_ends"][i]] == token
        byte_offsets = slice(offsets["token_byte_starts"][i], offsets["token_byte_ends"][i])
        assert text.encode()[byte_offsets] == token.encode()
    lines, first = [], 0
    for n in row_lengths.numpy():
        lines.append(" ".join(tokens[first : first + n]))
        first += n
    return lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Marie Curie was born in Warsaw.", "Marie Curie was born in Warsaw ."),
        ("Marie Curie was born in Warsaw .", "Marie Curie was born in Warsaw ."),
        ("", ""),
        (" \t\n", ""),
        ("I don't know; it's late.", "I do n't know ; it 's late ."),
        ("We'll go, they’re here, I'VE won", "We 'll go , they ’re here , I 'VE won"),
        ("the boys' dog, 'quoted' O'Brien", "the boys ' dog , ' quoted ' O'Brien"),
        ("ca n't n't 's '90s", "ca n't n't 's ' 90s"),
        ("Dr. J. Smith (U.S.) left at 5 p.m. today.", "Dr. J. Smith ( U.S. ) left at 5 p.m. today ."),
        ("vitamin C. Acme Inc.", "vitamin C. Acme Inc."),
        ("vitamin C.", "vitamin C ."),
        ("$1,000.50 at 10:30, 50%!", "$ 1,000.50 at 10:30 , 50 % !"),
        ("AT&T's R & D well-known and/or", "AT&T 's R & D well-known and/or"),
        ("wait... what?! -- ``no''", "wait ... what ? ! -- `` no ''"),
        ("great!!! $$$", "great !!! $$$"),
        ("see http://x.com/a,b?c=d'e.", "see http://x.com/a,b?c=d'e ."),
        ("(mail bob@x.co.uk)", "( mail bob@x.co.uk )"),
        ("Zürich “naïve” – 日本 😀’s", "Zürich “ naïve ” – 日本 😀 ’s"),
        ("a\x07b\u00a0c\u200bd", "a b c d"),
        (".5 of .NET", ".5 of .NET"),
        ("See Fig. 24 in vol. 3, no. It is no. 5.", "See Fig. 24 in vol. 3 , no . It is no. 5 ."),
        ("Clark v. Kent etc.", "Clark v. Kent etc."),
        ("thanks :) ;-( x:) :( :D", "thanks :) ;-( x : ) :( :D"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert tokenize(text) == [expected]


def test_texts_do_not_depend_on_their_batch() -> None:
    texts = ["It's one.", "", 'Two, "three"', "   ", "four"]
    assert tokenize(*texts) == [tokenize(text)[0] for text in texts]


def test_no_texts() -> None:
    tokens, row_lengths, offsets = TOKENIZE(tf.constant([], tf.string))
    assert [tuple(part.shape) for part in (tokens, row_lengths, *offsets.values())] == [(0,)] * 6


def test_invalid_utf8_is_tokenised() -> None:
    _, row_lengths, _ = TOKENIZE(tf.constant([b"a \xff\xfe b", b"\xe6\x97"]))
    assert row_lengths.numpy().tolist() == [3, 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.sampled_from("abNnTDo. '’-`,:!?&@/$\"()19é \u00a0"), max_size=25), min_size=1))
@example(["don't's", "x''y", "'''", "a.b.", "U.S..", "n't", "'s's", "a@b.", "://", "J. J. J.", "c.-d"])
def test_tokenised_text_is_not_changed(texts: list[str]) -> None:
    once = tokenize(*texts)
    assert tokenize(*once) == once
    # No character but blanks is lost.
    blanks = str.maketrans("", "", " \u00a0")
    assert [line.translate(blanks) for line in once] == [text.translate(blanks) for text in texts]
