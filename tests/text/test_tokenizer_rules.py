from __future__ import annotations

from seqlab.text.token_boundaries import APOSTROPHE, BREAK, SPACE, WORD
from seqlab.text.tokenizer_rules import token_kinds


def test_token_kinds() -> None:
    table = token_kinds()
    kinds = {
        SPACE: " \t\n\r\x00\x07\u00a0\u3000\u200b",
        BREAK: '()[]"“”«»,;:!?$€%&…–—<>`‘',
        APOSTROPHE: "'’",
        WORD: "aZ9é日-/@#_.*·+=",
    }
    for kind, characters in kinds.items():
        assert {character: int(table[ord(character)]) for character in characters} == dict.fromkeys(
            characters, kind
        )
