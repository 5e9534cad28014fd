from __future__ import annotations

import numpy as np
from tiny_taggers import TOKENS, WINDOW, make_encoder, tiny_tagger

from seqlab.serving.rows import make_rows, tag_rows


def test_kept_places_are_the_tokens_in_order() -> None:
    encoder = make_encoder()
    rows = make_rows(TOKENS, encoder=encoder, **WINDOW)
    tokens = [token for sentence in TOKENS for token in sentence]
    for name, table in encoder.encode_types(tokens).items():
        np.testing.assert_array_equal(rows[name][rows["keep"]], table[1:])
    assert rows["lengths"].max() == WINDOW["max_length"]
    assert rows["lengths"].sum() == len(rows["keep"]) > len(tokens)


def test_every_token_gets_one_tag() -> None:
    tiny = tiny_tagger("pos")
    tag_ids, probabilities = tag_rows(tiny.tagger, make_rows(TOKENS, encoder=tiny.encoder, **WINDOW))
    assert len(tag_ids) == len(probabilities) == sum(map(len, TOKENS))
    assert tag_ids.min() >= 2
    assert 0 < probabilities.min() <= probabilities.max() <= 1
