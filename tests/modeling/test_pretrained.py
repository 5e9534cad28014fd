from __future__ import annotations

import sys

import keras
import numpy as np
import pytest
from small_taggers import TINY_BERT, logits_of, random_batch, small_tagger

from seqlab.errors import SeqlabError
from seqlab.modeling.pretrained import PretrainedEmbedding, backbone_settings, check_backbone


def embedding(**changes):
    keras.utils.set_random_seed(3)
    layer = PretrainedEmbedding(**TINY_BERT | changes)
    layer.build(None)
    return layer


def by_hand(layer, features, pool):
    """Return the vectors of row 0, computed from its pieces alone."""
    starts, counts = (features[f"piece_{name}"][0] for name in ("starts", "counts"))
    ids = features["piece_ids"][:1, : int((starts + counts).max()) + 1]
    inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    outputs = layer.backbone(inputs)
    outputs = (
        np.mean([np.asarray(output)[0] for output in outputs], axis=0)
        if isinstance(outputs, list)
        else (np.asarray(outputs)[0])
    )
    return [
        pool(outputs[start : start + count]) for start, count in zip(starts, counts, strict=True) if count
    ]


@pytest.mark.parametrize("layers", ["last", "mix"])
@pytest.mark.parametrize(("pooling", "pool"), [("first", lambda x: x[0]), ("mean", lambda x: x.mean(axis=0))])
def test_a_tokens_vector_is_that_of_its_pieces(pooling, pool, layers):
    layer = embedding(pooling=pooling, layers=layers)
    features, _, _ = random_batch([4, 6], length=7)
    vectors = np.asarray(layer(features))
    np.testing.assert_allclose(vectors[0, :4], by_hand(layer, features, pool), rtol=1e-4, atol=1e-5)
    assert not vectors[0, 4:].any()
    assert vectors.shape == layer.compute_output_shape({"piece_starts": (2, 7)})


@pytest.mark.parametrize(("trained", "expected"), [("full", 3), ("frozen", 0), (1, 1), (2, 2)])
def test_the_uppermost_blocks_are_trained(trained, expected):
    layer = embedding(trained=trained, layers="last")
    trainable = {
        path.split("/")[-3] for path in (v.path for v in layer.trainable_variables) if "layer_" in path
    }
    depths = dict.fromkeys(depth for variable, depth in layer.depths() if variable.trainable)
    assert len(depths) == expected, trainable
    assert all(depth < expected or trained == "full" for depth in depths)


def test_the_variables_that_a_learning_rate_is_given_to_have_paths_of_their_own():
    tagger = small_tagger("none", "softmax", "pretrained")
    paths = [variable.path for variable in tagger.variables]
    assert len(set(paths)) == len(paths)
    depths = {variable.path: depth for variable, depth in tagger.embedder.pretrained_encoder.depths()}
    assert set(depths.values()) == {0, 1, 2}
    assert {depth for path, depth in depths.items() if "token_embedding" in path} == {2}
    assert {depth for path, depth in depths.items() if "transformer_layer_1" in path} == {0}


def test_a_tagger_is_the_same_after_reloading(tmp_path):
    tagger = small_tagger("none", "softmax", "pretrained", pretrained=TINY_BERT | {"trained": 1})
    features, _, _ = random_batch([5, 2], length=6)
    tagger.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(logits_of(reloaded, features), logits_of(tagger, features))
    assert len(reloaded.trainable_variables) == len(tagger.trainable_variables)


def test_the_weights_of_a_loaded_backbone_are_taken():
    import keras_hub

    backbone = keras_hub.models.BertBackbone(**TINY_BERT["settings"])
    layer = PretrainedEmbedding(**backbone_settings(backbone))
    layer.load_backbone(backbone)
    features, _, _ = random_batch([3], length=3)
    ids = features["piece_ids"]
    inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    expected = backbone(inputs)["sequence_output"]
    np.testing.assert_allclose(np.asarray(layer.backbone(inputs)), np.asarray(expected), rtol=1e-5)


def test_encoders_that_cannot_serve_are_refused_with_the_reason():
    import keras_hub

    sizes = {"vocabulary_size": 9, "num_layers": 1, "hidden_dim": 4, "intermediate_dim": 4}
    with pytest.raises(SeqlabError, match=r"FNetBackbone cannot serve.*no mask of padding"):
        check_backbone(keras_hub.models.FNetBackbone(**sizes), needs_blocks=False)
    with pytest.raises(SeqlabError, match="it also reads decoder_padding_mask"):
        check_backbone(keras_hub.models.BartBackbone(**sizes, num_heads=1), needs_blocks=False)


@pytest.mark.parametrize("name", ["BertTokenizer", "nothing", "__name__"])
def test_only_backbones_are_made_from_a_saved_configuration(name):
    with pytest.raises(SeqlabError, match=f"unknown architecture[\\s\\S]*received: '{name}'"):
        embedding(architecture=name)


def test_without_keras_hub_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(SeqlabError, match=r"need a package that is not installed[\s\S]*remedy: make extras"):
        embedding()
