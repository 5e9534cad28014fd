from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from seqlab.hub.loading import PieceTokenizer
from tiny_encoders import write_tiny_encoder


def test_a_saved_tokenizer_cuts_tokens_as_before_without_the_encoder(tmp_path):
    tokenizer = PieceTokenizer(write_tiny_encoder(tmp_path / "encoder"))
    tokenizer.save(tmp_path / "saved")
    saved = PieceTokenizer(tmp_path / "saved")
    tokens = ["Ann", "newyork", "é", "[SEP]", "w.w"]
    assert saved(tokens) == tokenizer(tokens)
    assert (saved.start, saved.end, saved.unknown) == (tokenizer.start, tokenizer.end, tokenizer.unknown)
    assert not (tmp_path / "saved" / "config.json").exists()
