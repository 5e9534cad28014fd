from __future__ import annotations

import sys
import typing
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_task import small_params

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.errors import SeqlabError
from seqlab.modeling.tagger import ENCODERS, HEADS
from seqlab.params import EncoderParams, HeadParams
from seqlab.pipeline.building import build_tagger

TAGS = Vocabulary(["O", "B-PER", "E-PER", "S-PER"])
FEATURES = FeatureEncoder(
    tokens=Vocabulary(["a", "b"]),
    characters=Vocabulary(["a", "b"]),
    shapes=Vocabulary(["x"]),
    lowercase=True,
    max_token_length=6,
)


def test_every_encoder_and_head_has_parameters():
    encoders = [
        typing.get_args(kind.model_fields["type"].annotation)[0] for kind in typing.get_args(EncoderParams)
    ]
    assert set(ENCODERS) == set(encoders)
    assert set(HEADS) == set(typing.get_args(HeadParams.model_fields["type"].annotation))


@pytest.mark.parametrize("task", ["ner", "pos"])
@pytest.mark.parametrize("encoder", ["transformer", "bilstm"])
def test_any_encoder_and_head_serve_any_task(task, encoder):
    tagger = build_tagger(small_params(task, encoder=encoder), encoder=FEATURES, tags=TAGS)
    assert type(tagger.encoder) is ENCODERS[encoder]
    assert type(tagger.head) is HEADS["crf" if task == "ner" else "softmax"]
    ids = np.array([[2, 3, 0]], np.int32)
    characters = np.ones((1, 3, 6), np.int32)
    logits = tagger({"token_ids": ids, "char_ids": characters, "shape_ids": ids}, training=False)
    assert logits.shape == (1, 3, len(TAGS))
    is_constrained = not all(np.array(tagger.head.constraints.start)[2:])
    assert is_constrained is (task == "ner"), "E-PER cannot start a sentence; without spans any tag can"


def test_absolute_positions_reach_as_far_as_the_last_bucket():
    params = small_params(encoder="transformer")
    encoder = params.encoder.model_copy(update={"positions": "absolute"})
    tagger = build_tagger(params.model_copy(update={"encoder": encoder}), encoder=FEATURES, tags=TAGS)
    assert tagger.encoder.max_length == 8


def test_mixed_precision_applies_to_the_tagger_alone():
    import keras

    tagger = build_tagger(
        small_params(training={"mixed_precision": "mixed_bfloat16"}), encoder=FEATURES, tags=TAGS
    )
    assert tagger.encoder.dtype_policy.name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_word_vectors_are_the_initial_embeddings():
    vectors = np.full((3, 8), np.nan, np.float32)
    vectors[1] = 7
    frozen = np.full((1, 8), 9, np.float32)
    tagger = build_tagger(small_params(), encoder=FEATURES, tags=TAGS, vectors=vectors, frozen_vectors=frozen)
    embeddings = tagger.embedder.token_embedding.table()
    assert (embeddings[1] == 7).all()
    assert np.isfinite(embeddings).all()
    assert (np.abs(embeddings[2]) < 1).all()
    assert (embeddings[3] == 9).all()


def test_word_vectors_of_another_dimension_are_refused():
    with pytest.raises(SeqlabError, match=r"token_embedding_dim: [\s\S]*expected: 5\n  received: 8"):
        build_tagger(small_params(), encoder=FEATURES, tags=TAGS, vectors=np.zeros((4, 5), np.float32))
