from __future__ import annotations

import numpy as np
from tiny_taggers import TOKENS, WINDOW, make_encoder, tiny_tagger

from seqlab.serving.reference import BATCH_SIZE, make_batches, tag_batches


def test_batches_contain_whole_sentences() -> None:
    encoder = make_encoder()
    sentences = [*TOKENS, *[["one"]] * BATCH_SIZE]
    batches = make_batches(sentences, encoder=encoder)
    lengths = [n for batch in batches for n in (batch["token_ids"] != 0).sum(axis=1)]
    assert lengths == [len(sentence) for sentence in sentences]
    tokens = [token for sentence in sentences for token in sentence]
    for name, table in encoder.encode_types(tokens).items():
        flat = np.concatenate([batch[name][batch["token_ids"] != 0] for batch in batches])
        np.testing.assert_array_equal(flat, table[1:])


def test_every_token_gets_one_tag() -> None:
    tiny = tiny_tagger("pos")
    batches = make_batches(TOKENS, encoder=tiny.encoder)
    tag_ids, probabilities = tag_batches(tiny.tagger, batches, **WINDOW)
    assert len(tag_ids) == len(probabilities) == sum(map(len, TOKENS))
    assert tag_ids.min() >= 2
    assert 0 < probabilities.min() <= probabilities.max() <= 1
