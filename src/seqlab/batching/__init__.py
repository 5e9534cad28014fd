"""Sentences to ids to bucketed, right-padded batches with static shapes.

The batch contract, on which `modeling` relies: features `{"token_ids": int32 (B, T), "char_ids": int32
(B, T, C), "shape_ids": int32 (B, T)}`, `tag_ids` int32 (B, T) and `sample_weight` float32 (B, T), 1 for a
real token and 0 for padding. Id 0 is padding and id 1 is unknown in every vocabulary. Padding is on the
right, and every row contains at least one token. Instead of `char_ids` (B, T, C), a batch may contain the
characters of its distinct types: `char_ids` int32 (U, C1) has the short ones, `long_char_ids` int32 (L, C2)
the others, and `char_rows` int32 (B, T) the row of each token in both, one after the other; row 0 is padding.
"""
