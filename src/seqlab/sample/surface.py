"""The surface form of expanded tokens: commas, articles and letter case."""

from __future__ import annotations

from seqlab.sample.morphology import takes_an

Token = tuple[str, str, str]
"""A word with its UPOS tag and its IOB2 entity tag."""

_SMALL_IN_TITLES = frozenset(("ADP", "DET", "CCONJ", "PART", "SCONJ"))
_COMMA: Token = (",", "PUNCT", "O")
_REPLACES_COMMA = frozenset((",", ".", ";", ":", "?", "!", ")"))
_KEEPS_CASE = frozenset(("X", "SYM"))


def capitalised(word: str) -> str:
    """Return the word with its first letter in upper case and the rest unchanged."""
    return word[:1].upper() + word[1:]


def fix_commas(tokens: list[Token]) -> None:
    """Remove commas directly before another punctuation mark, in place."""
    for position in range(len(tokens) - 1, 0, -1):
        if tokens[position - 1] == _COMMA and tokens[position][0] in _REPLACES_COMMA:
            del tokens[position - 1]


def fix_articles(tokens: list[Token]) -> None:
    """Replace `a` with `an` if the next token starts with a vowel sound, in place."""
    for position in range(len(tokens) - 1):
        token = tokens[position]
        if token[1] == "DET" and token[0] in ("a", "A") and takes_an(tokens[position + 1][0]):
            tokens[position] = (token[0] + "n", "DET", token[2])


def capitalise_first(tokens: list[Token]) -> None:
    """Capitalise the first token that is not punctuation, in place."""
    for position, (word, upos, ner) in enumerate(tokens):
        if upos == "PUNCT":
            continue
        if upos not in _KEEPS_CASE:
            tokens[position] = (capitalised(word), upos, ner)
        return


def restyle(tokens: list[Token], style: str) -> None:
    """Apply a letter-case style in place: `upper`, `lower`, `title` or `sentence`."""
    if style in ("upper", "lower"):
        convert = str.upper if style == "upper" else str.lower
        tokens[:] = [(w if u in _KEEPS_CASE else convert(w), u, n) for w, u, n in tokens]
        return
    if style == "title":
        unchanged = _SMALL_IN_TITLES | _KEEPS_CASE
        tokens[:] = [(w if u in unchanged else capitalised(w), u, n) for w, u, n in tokens]
    capitalise_first(tokens)
