"""A tokeniser that lives in the graph: raw text to tokens with their places in it.

It follows the Penn Treebank's conventions where they need no look at the meaning:

1. White space and control characters separate tokens and belong to none.
2. Brackets, quotation marks, currency signs and other punctuation are tokens of their own; but a comma or
   colon between two digits and an ampersand between two letters stay (`1,000`, `10:30`, `AT&T`), and so do
   hyphens, slashes, `@`, `#`, `*` and `_` everywhere (`well-known`, `and/or`).
3. Two or more of the same of `. - ' ! ? $ < >` and backquote are one token (`...`, `--`, `''`, `!!!`).
4. Clitics are split off: `n't`, and `'s 'm 'd 're 've 'll` (`do n't`, `it 's`). An apostrophe between
   letters stays otherwise (`O'Brien`), and is a token of its own at a word's edge (`the boys '`).
5. A period before a blank or punctuation is a token of its own; but it stays with an abbreviation in
   `ABBREVIATIONS`, with letters that have periods between them (`U.S.`, `p.m.`), and with a single capital
   before another word (`J. Smith`), and with those of `BEFORE_NUMBERS` before a number (`No. 5`).
6. In an address (a run without blanks that has `://` or `@` amid letters or digits) nothing is split but
   punctuation at its edges.
7. A smiley that stands between blanks is one token (`:)`, `;-(`, `:D`).

Text that is already tokenised so comes out the same, token for token.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from seqlab.serving.graph.code_points import APOSTROPHE, BREAK, SPACE, WORD, token_kinds

Tensor = Any

ABBREVIATIONS = tuple(
    """
    mr mrs ms dr prof st sr jr rev gen sen rep gov lt col sgt capt maj messrs mme mlle
    inc corp ltd co cos bros dept univ assn etc v vs al ie eg cf approx ca
    jan feb apr jun jul aug sep sept oct nov dec ave blvd rd mt ft
    """.split()  # noqa: SIM905
)

BEFORE_NUMBERS = tuple("no nos fig figs p pp vol vols ch sec art eq ext".split())  # noqa: SIM905

_INNER_PERIODS = r"(\p{L}\.)+\p{L}"
_ONE_CAPITAL = r"\p{Lu}"
_WORD_START = r"[\p{L}\p{N}][\s\S]*"
_NUMBER_START = r"\p{Nd}[\s\S]*"
_ALWAYS, _BEFORE_NUMBER = 1, 2


class TokenizedText(NamedTuple):
    """The tokens of a batch of texts, one after the other.

    Args:
        tokens: string (N,).
        row_lengths: int64 (B,), tokens in each text.
        starts, ends: int32 (N,), places in the text in characters (code points), end exclusive.
        byte_starts, byte_ends: int32 (N,), the same in bytes of UTF-8.
    """

    tokens: Tensor
    row_lengths: Tensor
    starts: Tensor
    ends: Tensor
    byte_starts: Tensor
    byte_ends: Tensor


class _Characters:
    """The characters of all texts, with a blank before each text and at the end."""

    def __init__(self, code_points: Tensor, kinds: Tensor) -> None:
        self.code_points, self.kinds = code_points, kinds
        lower = (code_points >= ord("A")) & (code_points <= ord("Z"))
        self.lower = tf.where(lower, code_points + 32, code_points)
        self.is_space = kinds == SPACE
        self.is_digit = (code_points >= ord("0")) & (code_points <= ord("9"))

    def is_any(self, characters: str) -> Tensor:
        found = [self.lower == ord(character) for character in characters]
        return tf.reduce_any(tf.stack(found), axis=0)


def _at(flags: Tensor, distance: int) -> Tensor:
    """`flags` of the character that stands `distance` further on; False beyond the edges."""
    size = tf.shape(flags)[0]
    if distance > 0:
        return tf.pad(flags, [[0, distance]])[distance:]
    return tf.pad(flags, [[-distance, 0]])[:size]


class GraphTokenizer(tf.Module):
    """Texts to tokens, as the module's docstring says."""

    def __init__(self) -> None:
        super().__init__(name="tokenizer")
        self._kinds = tf.constant(token_kinds())
        kinds = dict.fromkeys(ABBREVIATIONS, _ALWAYS) | dict.fromkeys(BEFORE_NUMBERS, _BEFORE_NUMBER)
        self._abbreviations = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(list(kinds), list(kinds.values()), value_dtype=tf.int64),
            default_value=0,
        )

    def __call__(self, texts: Tensor) -> TokenizedText:
        """String (B,), UTF-8, to tokens; a text without any gives none."""
        decoded, byte_offsets = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
        counts = decoded.row_lengths()
        rows = tf.size(counts, tf.int64)
        blank = tf.fill([rows, 1], ord(" "))
        code_points = tf.concat([tf.concat([blank, decoded], axis=1).values, [ord(" ")]], axis=0)
        size = tf.shape(self._kinds)[0]
        kinds = tf.where(code_points < size, tf.gather(self._kinds, tf.minimum(code_points, size - 1)), WORD)
        characters = _Characters(code_points, kinds)
        begins = tf.where(~characters.is_space & self._boundaries(characters))[:, 0]
        next_begins = tf.where(~characters.is_space & _at(_ends_token(characters, begins), 1))[:, 0] + 1
        text_starts = tf.cumsum(counts + 1, exclusive=True)
        row = tf.searchsorted(text_starts, begins, side="right", out_type=tf.int64) - 1

        byte_starts, byte_ends = _byte_offsets(texts, byte_offsets)

        def tokens_of(begin: Tensor, end: Tensor, row: Tensor) -> tuple[Tensor, ...]:
            # A text's first character stands one place after its blank, and r blanks stand
            # before text r's own.
            first, last = begin - row - 1, end - row - 2
            start_bytes, end_bytes = tf.gather(byte_starts, first), tf.gather(byte_ends, last)
            surface = tf.strings.substr(tf.gather(texts, row), start_bytes, end_bytes - start_bytes)
            return surface, start_bytes, end_bytes

        surface, _, _ = tokens_of(begins, next_begins, row)
        joined = self._periods_to_join(surface, begins, next_begins, row)
        ends = tf.where(_at(joined, 1), next_begins + 1, next_begins)
        begins, ends, row = (tf.boolean_mask(x, ~joined) for x in (begins, ends, row))
        surface, start_bytes, end_bytes = tokens_of(begins, ends, row)
        text_start = tf.gather(text_starts, row) + 1
        return TokenizedText(
            tokens=surface,
            row_lengths=tf.math.bincount(
                tf.cast(row, tf.int32), minlength=tf.cast(rows, tf.int32), dtype=tf.int64
            ),
            starts=tf.cast(begins - text_start, tf.int32),
            ends=tf.cast(ends - text_start, tf.int32),
            byte_starts=start_bytes,
            byte_ends=end_bytes,
        )

    def _boundaries(self, c: _Characters) -> Tensor:
        """Whether a token begins at each character that is no blank; periods of abbreviations aside."""
        is_break, is_word = c.kinds == BREAK, c.kinds == WORD
        inner = _inside_address(c)
        is_run = c.is_any(".-'`!?$<>") & (
            _equal_neighbours(c.code_points, -1) | _equal_neighbours(c.code_points, 1)
        )
        apostrophe = (c.kinds == APOSTROPHE) & ~is_run
        period = c.is_any(".") & ~is_run
        final_period = period & _at(c.is_space | is_break | (c.kinds == APOSTROPHE) | is_run, 1)
        ends_word = c.is_space | is_break | (c.kinds == APOSTROPHE) | final_period | is_run

        short = _at(c.is_any("smd"), 1) & _at(ends_word, 2)
        first, second = _at(c.lower, 1), _at(c.lower, 2)
        pairs = [(first == ord(pair[0])) & (second == ord(pair[1])) for pair in ("re", "ve", "ll")]
        long = tf.reduce_any(tf.stack(pairs), axis=0) & _at(ends_word, 3)
        clitic = apostrophe & (short | long)
        negation = apostrophe & _at(c.is_any("n"), -1) & _at(c.is_any("t"), 1) & _at(ends_word, 2)
        continues = is_word & ~final_period & ~is_run
        inside_word = apostrophe & _at(continues, -1) & _at(continues, 1)

        between_digits = c.is_any(",:") & _at(c.is_digit, -1) & _at(c.is_digit, 1)
        letter = is_word & ~c.is_any(".-@#*/\\_") & ~c.is_digit
        between_letters = c.is_any("&") & _at(letter, -1) & _at(letter, 1)
        alone = is_break & ~is_run & ~between_digits & ~between_letters
        alone |= final_period | (apostrophe & ~clitic & ~negation & ~inside_word)
        run_edge = (is_run | _at(is_run, -1)) & ~_equal_neighbours(c.code_points, -1)
        begins = alone | _at(alone, -1) | run_edge | clitic | _at(negation, 1)
        smiley = _begins_smiley(c)
        joined = (inner & _at(inner, -1)) | _at(smiley, -1) | _at(smiley, -2)
        return _at(c.is_space, -1) | (begins & ~joined)

    def _periods_to_join(self, tokens: Tensor, begins: Tensor, ends: Tensor, row: Tensor) -> Tensor:
        """Whether a token is the period of the abbreviation right before it, bool (N,)."""
        adjacent = _at(ends, -1) == begins
        kinds = self._abbreviations.lookup(tf.strings.lower(tokens))
        known = (kinds == _ALWAYS) | tf.strings.regex_full_match(tokens, _INNER_PERIODS)
        initial = tf.strings.regex_full_match(tokens, _ONE_CAPITAL)
        same_text = row == _at(row, -1)
        word_follows = _at(tf.strings.regex_full_match(tokens, _WORD_START) & same_text, 1)
        number_follows = _at(tf.strings.regex_full_match(tokens, _NUMBER_START) & same_text, 1)
        joins = _at(known, -1) | (_at(initial, -1) & word_follows)
        joins |= _at(kinds == _BEFORE_NUMBER, -1) & number_follows
        return adjacent & (tokens == ".") & joins


def _ends_token(c: _Characters, begins: Tensor) -> Tensor:
    """Whether no token goes on from the character before into this one, bool (characters,)."""
    starts = tf.scatter_nd(begins[:, None], tf.ones_like(begins), tf.shape(c.is_space, tf.int64)) > 0
    return starts | c.is_space


def _equal_neighbours(code_points: Tensor, distance: int) -> Tensor:
    return code_points == _at(code_points, distance)


def _begins_smiley(c: _Characters) -> Tensor:
    """Whether eyes, perhaps a nose, and a mouth between blanks begin at each character."""
    eyes = c.is_any(":;=") & _at(c.is_space, -1)
    mouth = c.is_any("()[]dp/|")
    without_nose = _at(mouth, 1) & _at(c.is_space, 2)
    return eyes & (without_nose | (_at(c.is_any("-"), 1) & _at(mouth, 2) & _at(c.is_space, 3)))


def _inside_address(c: _Characters) -> Tensor:
    """Whether a character stands in an address, from its first word character to its last."""
    is_word = c.kinds == WORD
    core = is_word & ~c.is_any(".-*")
    chunk = tf.cumsum(tf.cast(c.is_space, tf.int32))
    seen = tf.cumsum(tf.cast(core, tf.int32))
    first = tf.gather(tf.math.segment_min(seen - tf.cast(core, tf.int32), chunk), chunk)
    last = tf.gather(tf.math.segment_max(seen, chunk), chunk)
    within = (seen > first) & ((seen < last) | core)
    slash = c.is_any("/")
    marks = c.is_any(":") & _at(slash, 1) & _at(slash, 2)
    marks |= c.is_any("@") & _at(is_word, -1) & _at(is_word, 1)
    marks &= within & (seen < last)
    return within & (tf.gather(tf.math.segment_max(tf.cast(marks, tf.int32), chunk), chunk) > 0)


def _byte_offsets(texts: Tensor, offsets: tf.RaggedTensor) -> tuple[Tensor, Tensor]:
    """First byte of every character and the byte after its last, int32."""
    starts, rows = tf.cast(offsets.values, tf.int32), offsets.value_rowids()
    is_last = tf.concat([rows[1:] != rows[:-1], tf.fill([tf.minimum(tf.size(rows), 1)], True)], axis=0)
    return starts, tf.where(is_last, tf.gather(tf.strings.length(texts), rows), _at(starts, 1))
