"""Spans of encoded tags, found with NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class SpanFinder:
    """Find the spans of tag ids, as `seqlab.tags.tags_to_spans` with `lenient=True` does.

    Args:
        tags: for each tag id its prefix and its entity type, as `seqlab.tags.split_tag` returns them.

    Attributes:
        entity_types: the entity types, by type id.
    """

    def __init__(self, tags: Sequence[Sequence[str]]) -> None:
        self.entity_types = sorted({entity_type for _, entity_type in tags})
        ids = {entity_type: i for i, entity_type in enumerate(self.entity_types)}
        self._type_ids = np.array([ids[entity_type] for _, entity_type in tags], np.int32)
        self._is_inside, self._continues, self._may_be_continued = (
            np.array([prefix in prefixes for prefix, _ in tags]) for prefixes in ("BIES", "IE", "BI")
        )

    def continues(self, tag_ids: np.ndarray, sentence_starts: np.ndarray) -> np.ndarray:
        """Return whether each token continues the span of the token before it.

        Args:
            tag_ids: int (N,), of whole sentences.
            sentence_starts: int (sentences,), the first tokens of the sentences, below N.

        Returns:
            bool (N,).
        """
        types = self._type_ids[tag_ids]
        continues = np.zeros(len(tag_ids), np.bool_)
        continues[1:] = self._continues[tag_ids[1:]] & self._may_be_continued[tag_ids[:-1]]
        continues[1:] &= types[1:] == types[:-1]
        continues[sentence_starts] = False
        return continues

    def find(
        self, tag_ids: np.ndarray, sentence_starts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the spans in order: first token, end (exclusive) and type id, each int (spans,)."""
        continues = self.continues(tag_ids, sentence_starts)
        is_inside = self._is_inside[tag_ids]
        starts = np.flatnonzero(is_inside & ~continues)
        ends = np.flatnonzero(is_inside & ~np.append(continues[1:], False)) + 1
        return starts, ends, self._type_ids[tag_ids[starts]]
