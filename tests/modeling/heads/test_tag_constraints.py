from __future__ import annotations

import pytest
from numpy.testing import assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.heads.tag_constraints import TagConstraints
from seqlab.modeling.masks.masked_ops import MASKED_SCORE as FORBIDDEN


def test_without_constraints_all_tags_but_the_reserved_ids_are_allowed():
    constraints = TagConstraints(num_tags=4)
    assert constraints.is_free
    for allowed in (constraints.can_predict, constraints.start, constraints.end):
        assert_array_equal(allowed, [False, False, True, True])
    assert_array_equal(constraints.transitions, [[False] * 4, [False] * 4, *[[False, False, True, True]] * 2])


def test_constraints_cannot_allow_a_reserved_id():
    constraints = TagConstraints(num_tags=3, start_allowed=[True] * 3, transitions_allowed=[[True] * 3] * 3)
    assert_array_equal(constraints.start, [False, False, True])
    assert_array_equal(constraints.transitions, [[False] * 3, [False] * 3, [False, False, True]])
    assert not constraints.is_free


def test_scores_are_zero_where_allowed():
    constraints = TagConstraints(num_tags=5, start_allowed=[1, 1, 0, 1, 1], end_allowed=[1, 1, 1, 0, 1])
    assert_array_equal(constraints.start_scores, [FORBIDDEN, FORBIDDEN, FORBIDDEN, 0.0, 0.0])
    assert_array_equal(constraints.end_scores, [FORBIDDEN, FORBIDDEN, 0.0, FORBIDDEN, 0.0])
    assert_array_equal(constraints.transition_scores[3], [FORBIDDEN, FORBIDDEN, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_tags": 2}, r"num_tags: too few tags: .* only the reserved entries[\s\S]*leave out a column"),
        ({"num_tags": 3, "start_allowed": [True]}, "start_allowed: the constraints do not fit"),
        ({"num_tags": 3, "end_allowed": [True] * 4}, "end_allowed: the constraints do not fit"),
        (
            {"num_tags": 3, "transitions_allowed": [[True] * 3]},
            r"transitions_allowed: [\s\S]*shape \(3, 3\)[\s\S]*shape \(1, 3\)",
        ),
        (
            {"num_tags": 3, "transitions_allowed": [[True] * 3, [True] * 3, []]},
            "transitions_allowed: the constraints do not fit",
        ),
    ],
)
def test_a_wrong_size_is_an_error(arguments, message):
    with pytest.raises(SeqlabError, match=message):
        TagConstraints(**arguments)


def test_a_length_without_an_allowed_sequence_is_an_error():
    # 2 starts a sentence, and only 3 ends one: no sentence of one token is possible.
    with pytest.raises(SeqlabError, match="no tag sequence is allowed for a sentence of length 1"):
        TagConstraints(num_tags=4, start_allowed=[0, 0, 1, 0], end_allowed=[0, 0, 0, 1])
    # 2 starts and ends a sentence, and nothing follows it.
    with pytest.raises(SeqlabError, match="no tag sequence is allowed for a sentence of length 2"):
        TagConstraints(num_tags=3, transitions_allowed=[[False] * 3] * 3)
    # 2 -> 3 -> 2 -> ..., and only 2 may end: every even length is impossible.
    swap = [[0] * 4, [0] * 4, [0, 0, 0, 1], [0, 0, 1, 0]]
    with pytest.raises(SeqlabError, match="no tag sequence is allowed for a sentence of length 2"):
        TagConstraints(
            num_tags=4, start_allowed=[0, 0, 1, 0], end_allowed=[0, 0, 1, 0], transitions_allowed=swap
        )
