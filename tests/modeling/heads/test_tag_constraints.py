from __future__ import annotations

import pytest

from seqlab.errors import SeqlabError
from seqlab.modeling.heads.tag_constraints import FORBIDDEN, TagConstraints


def test_without_lists_all_but_the_reserved_ids_is_allowed():
    constraints = TagConstraints(num_tags=4)
    assert constraints.is_free
    assert constraints.can_predict == [False, False, True, True]
    assert constraints.start == constraints.end == [False, False, True, True]
    assert constraints.transitions == [[False] * 4, [False] * 4, *[[False, False, True, True]] * 2]


def test_lists_cannot_allow_a_reserved_id():
    constraints = TagConstraints(num_tags=3, start_allowed=[True] * 3, transitions_allowed=[[True] * 3] * 3)
    assert constraints.start == [False, False, True]
    assert constraints.transitions == [[False] * 3, [False] * 3, [False, False, True]]
    assert not constraints.is_free


def test_scores_are_zero_where_allowed():
    constraints = TagConstraints(num_tags=5, start_allowed=[1, 1, 0, 1, 1], end_allowed=[1, 1, 1, 0, 1])
    assert constraints.start_scores == [FORBIDDEN, FORBIDDEN, FORBIDDEN, 0.0, 0.0]
    assert constraints.end_scores == [FORBIDDEN, FORBIDDEN, 0.0, FORBIDDEN, 0.0]
    assert constraints.transition_scores[3] == [FORBIDDEN, FORBIDDEN, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_tags": 2}, "num_tags: too few tags"),
        ({"num_tags": 3, "start_allowed": [True]}, "start_allowed: wrong number of tags"),
        ({"num_tags": 3, "end_allowed": [True] * 4}, "end_allowed: wrong number of tags"),
        ({"num_tags": 3, "transitions_allowed": [[True] * 3]}, "transitions_allowed: wrong number of rows"),
        (
            {"num_tags": 3, "transitions_allowed": [[True] * 3, [True] * 3, []]},
            r"transitions_allowed\[2\]: wrong number of tags",
        ),
    ],
)
def test_a_wrong_size_is_refused(arguments, message):
    with pytest.raises(SeqlabError, match=message):
        TagConstraints(**arguments)


def test_a_length_without_any_allowed_sequence_is_refused():
    # 2 begins and must be followed by 3, which alone ends: one token fits nothing.
    with pytest.raises(SeqlabError, match="no tag sequence is allowed for a sentence of 1 tokens"):
        TagConstraints(num_tags=4, start_allowed=[0, 0, 1, 0], end_allowed=[0, 0, 0, 1])
    # 2 begins and ends, and nothing may follow it.
    with pytest.raises(SeqlabError, match="no tag sequence is allowed for a sentence of 2 tokens"):
        TagConstraints(num_tags=3, transitions_allowed=[[False] * 3] * 3)
    # 2 -> 3 -> 2 -> ..., and only 2 may end: every even length is impossible.
    swap = [[0] * 4, [0] * 4, [0, 0, 0, 1], [0, 0, 1, 0]]
    with pytest.raises(SeqlabError, match="no tag sequence is allowed for a sentence of 2 tokens"):
        TagConstraints(
            num_tags=4, start_allowed=[0, 0, 1, 0], end_allowed=[0, 0, 1, 0], transitions_allowed=swap
        )
