"""Tokens to feature ids in Python, exactly as `serving.graph.feature_lookup` does in a graph."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqlab.tags import UNKNOWN_ID

_LONG_RUN = re.compile(r"(.)\1\1+", re.DOTALL)


class TokenFeatures:
    """Map tokens to feature ids with the vocabularies and character tables of an export.

    Args:
        rules: the content of `tagger.json`.
    """

    def __init__(self, rules: Mapping[str, Any]) -> None:
        features = rules["features"]
        self._max_token_length = int(features["max_token_length"])
        self._token_ids, self._character_ids, self._shape_ids = (
            {entry: i for i, entry in enumerate(features[name]) if i > UNKNOWN_ID}
            for name in ("tokens", "characters", "shapes")
        )
        self._normal_forms = str.maketrans(features["normal_forms"])
        self._shape_classes = _ShapeClasses(rules["categories"])

    def __call__(self, tokens: Sequence[str]) -> dict[str, np.ndarray]:
        """Return `token_ids` (N,), `char_ids` (N, C) and `shape_ids` (N,), int32, of tokens."""
        forms = [token.translate(self._normal_forms) for token in tokens]
        shapes = [_LONG_RUN.sub(r"\1\1", token.translate(self._shape_classes)) for token in tokens]
        char_ids = np.zeros((len(tokens), self._max_token_length), np.int32)
        for row, token in zip(char_ids, tokens, strict=True):
            ids = [self._character_ids.get(character, UNKNOWN_ID) for character in self._shortened(token)]
            row[: len(ids)] = ids
        return {
            "token_ids": np.array([self._token_ids.get(form, UNKNOWN_ID) for form in forms], np.int32),
            "char_ids": char_ids,
            "shape_ids": np.array([self._shape_ids.get(shape, UNKNOWN_ID) for shape in shapes], np.int32),
        }

    def _shortened(self, token: str) -> str:
        """Return the first and the last characters of a long token, together `max_token_length`."""
        places = self._max_token_length
        if len(token) <= places:
            return token
        head = (places + 1) // 2
        return token[:head] + token[len(token) - (places - head) :]


class _ShapeClasses(dict[int, str]):
    """A table for `str.translate`: digits to d, capitals to X, other letters to x, the rest unchanged."""

    def __init__(self, categories: Mapping[str, Sequence[Sequence[int]]]) -> None:
        super().__init__()
        self._classes = [
            (name, categories[category]) for name, category in (("d", "Nd"), ("X", "Lu"), ("x", "L"))
        ]

    def __missing__(self, code_point: int) -> str:
        found = (name for name, ranges in self._classes if _contains(ranges, code_point))
        self[code_point] = next(found, chr(code_point))
        return self[code_point]


def _contains(ranges: Sequence[Sequence[int]], code_point: int) -> bool:
    place = bisect_right(ranges, code_point, key=lambda pair: pair[0])
    return place > 0 and code_point <= ranges[place - 1][1]
