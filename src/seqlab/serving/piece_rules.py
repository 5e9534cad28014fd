"""What an export contains of a pretrained encoder's tokenizer, so that it is not needed to use the export."""

from __future__ import annotations

import importlib
import unicodedata
from functools import lru_cache
from typing import Any

from seqlab.serving.tagging.word_pieces import WORD_END

_PROBE = "0"
"""Around each character whose treatment is read; no character joins with it."""


def piece_rules(tokenizer: Any) -> dict[str, Any] | None:
    """Return the rules of a tokenizer of KerasHub, ready for JSON; None if its kind has no rules here."""
    kinds = {cls.__name__ for cls in type(tokenizer).__mro__}
    return word_piece_rules(tokenizer) if "WordPieceTokenizer" in kinds else None


def word_piece_rules(tokenizer: Any) -> dict[str, Any]:
    """Return the rules of a `keras_hub.tokenizers.WordPieceTokenizer`, ready for JSON.

    `vocabulary` has the pieces in the order of their ids; `characters` has what replaces a character, with a
    line end between words, and `single` ranges of code points, first and last, that are words of their own.
    `suffix` stands before a piece inside a word. A word of more than `max_word_bytes` bytes, or with a part
    that no piece covers, is `unknown`.

    Characters are replaced one by one. KerasHub composes marks with the letter before them (NFKC) where it
    folds case and does not remove accents; these rules treat such a mark as a letter.

    Args:
        tokenizer: with a vocabulary.

    Raises:
        ValueError: it does not split words, or looks for special pieces in its input.
    """
    if not tokenizer.split or tokenizer.special_tokens_in_strings:
        raise ValueError("a WordPiece tokenizer that does not split words, or reads special pieces")
    module = importlib.import_module(_word_piece_class(tokenizer).__module__)
    characters, single = _character_rules(
        module, tokenizer.lowercase, tokenizer.strip_accents, tokenizer.split_on_cjk
    )
    return {
        "type": "wordpiece",
        "vocabulary": list(tokenizer.vocabulary),
        "characters": characters,
        "single": single,
        "suffix": tokenizer.suffix_indicator,
        "unknown": tokenizer.oov_token,
        "max_word_bytes": module.MAX_BYTES_PER_WORD,
    }


def _word_piece_class(tokenizer: Any) -> type:
    return next(cls for cls in type(tokenizer).__mro__ if cls.__name__ == "WordPieceTokenizer")


@lru_cache(maxsize=8)
def _character_rules(
    module: Any, lowercase: bool, strip_accents: bool, split_on_cjk: bool
) -> tuple[dict[str, str], list[list[int]]]:
    """Return `characters` and `single` of the rules, read from KerasHub's treatment of all characters.

    Each character between two digits 0 is a line. Its words show whether it is part of a word, a word of its
    own, a space, or nothing, and what replaces it.
    """
    probed = [
        chr(i)
        for i in range(0x110000)
        if unicodedata.category(chr(i)) not in ("Cn", "Co", "Cs") and chr(i) != _PROBE
    ]
    text = WORD_END.join(_PROBE + character + _PROBE for character in probed)
    words = iter(
        module.pretokenize_python(
            text, lowercase=lowercase, strip_accents=strip_accents, split_on_cjk=split_on_cjk
        )
    )
    characters: dict[str, str] = {}
    single: list[list[int]] = []
    for character in probed:
        word = next(words)
        if word != _PROBE:
            replacement = word[1:-1]
        else:
            word = next(words)
            replacement = WORD_END
            while word != _PROBE:
                replacement += word + WORD_END
                word = next(words)
        if replacement == WORD_END + character + WORD_END:
            if not single or single[-1][1] != ord(character) - 1:
                single.append([ord(character), ord(character)])
            single[-1][1] = ord(character)
        elif replacement != character:
            characters[character] = replacement
    return characters, single
