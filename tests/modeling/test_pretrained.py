from __future__ import annotations

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_taggers import TINY_BERT, logits_of, random_batch, small_tagger

from seqlab.errors import SeqlabError
from seqlab.modeling.pretrained import PretrainedEmbedding, backbone_settings, check_backbone
from seqlab.modeling.saving import save_tagger


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
    assert {depth for variable, depth in layer.depths() if variable.trainable} == set(range(expected))


def test_the_variables_that_a_learning_rate_is_given_to_have_paths_of_their_own():
    tagger = small_tagger("none", "softmax", "pretrained")
    paths = [variable.path for variable in tagger.variables]
    assert len(set(paths)) == len(paths)
    depths = {variable.path: depth for variable, depth in tagger.embedder.pretrained_encoder.depths()}
    assert set(depths.values()) == {0, 1, 2}
    assert {depth for path, depth in depths.items() if "token_embedding" in path} == {2}
    assert {depth for path, depth in depths.items() if "transformer_layer_1" in path} == {0}


@pytest.mark.parametrize("changes", [{"trained": 1}, {"trained": "lora", "lora_rank": 2}])
def test_a_saved_tagger_is_the_trained_one(tmp_path, changes):
    tagger = small_tagger("none", "softmax", "pretrained", pretrained=TINY_BERT | changes)
    features, tags, weight = random_batch([5, 2], length=6)
    backbone = tagger.embedder.pretrained_encoder.backbone
    before = backbone.get_weights()
    for _ in range(2):
        tagger.train_batch(features, tags, weight)
    pairs = zip(backbone.weights, before, backbone.get_weights(), strict=True)
    changed = {variable.name for variable, old, new in pairs if not np.array_equal(old, new)}
    is_lora = "lora_rank" in changes
    assert changed == {"lora_kernel_a", "lora_kernel_b", "bias"} if is_lora else {"kernel", "bias"} < changed
    save_tagger(tagger, tmp_path / "model.keras", features=features)  # compares the reloaded tagger
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    expected = logits_of(tagger, features)
    np.testing.assert_allclose(logits_of(reloaded, features), expected, rtol=1e-4, atol=1e-5)
    assert not any("lora" in variable.path for variable in reloaded.variables)


def test_gradient_checkpointing_changes_no_gradient():
    features, tags, weight = random_batch([5, 2], length=6)
    weights, gradients = None, []
    for checkpointing in (False, True):
        changes = {
            "gradient_checkpointing": checkpointing,
            "settings": TINY_BERT["settings"] | {"dropout": 0.0},
        }
        tagger = small_tagger("none", "softmax", "pretrained", pretrained=TINY_BERT | changes)
        weights = weights or tagger.get_weights()
        tagger.set_weights(weights)

        @tf.function(autograph=False)
        def gradients_of(tagger=tagger):
            with tf.GradientTape() as tape:
                loss = tagger.compute_loss(features, tags, tagger(features, training=True), weight)
            return [tf.convert_to_tensor(x) for x in tape.gradient(loss, tagger.trainable_variables)]

        gradients.append(gradients_of())
    for plain, recomputed in zip(*gradients, strict=True):
        np.testing.assert_allclose(recomputed, plain, rtol=1e-3, atol=1e-6)


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
    with pytest.raises(SeqlabError, match="its inputs are decoder_padding_mask"):
        check_backbone(keras_hub.models.BartBackbone(**sizes, num_heads=1), needs_blocks=False)


@pytest.mark.parametrize("name", ["BertTokenizer", "nothing", "__name__"])
def test_only_backbones_are_made_from_a_saved_configuration(name):
    with pytest.raises(SeqlabError, match=f"unknown architecture[\\s\\S]*received: '{name}'"):
        embedding(architecture=name)


def test_without_keras_hub_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(SeqlabError, match=r"need a package that is not installed[\s\S]*remedy: make extras"):
        embedding()
