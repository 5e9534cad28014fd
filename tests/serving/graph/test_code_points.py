from __future__ import annotations

import sys
import unicodedata

from seqlab.serving.graph.code_points import normal_forms, shape_classes


def test_normal_forms_fold_case_and_digits() -> None:
    table = normal_forms(lowercase=True)
    assert [chr(table[ord(character)]) for character in "Aé9٣ß-"] == list("aé00ß-")
    # Its lower case is two characters, so that it stays as it is.
    assert chr(table[ord("İ")]) == "İ"


def test_normal_forms_may_keep_case() -> None:
    table = normal_forms(lowercase=False)
    assert [chr(table[ord(character)]) for character in "Aa9"] == list("Aa0")


def test_shape_classes() -> None:
    table = shape_classes()
    assert [chr(table[ord(character)]) for character in "Aa9٣日-"] == list("XxddX-".replace("X-", "x-"))


def test_tables_end_where_nothing_follows() -> None:
    for table in (normal_forms(lowercase=True), shape_classes()):
        assert table[-1] != len(table) - 1
    for code_point in range(0x40000, sys.maxunicode + 1, 7):
        character = chr(code_point)
        assert character.lower() == character
        assert unicodedata.category(character) in ("Cn", "Co", "Cf", "Mn")
