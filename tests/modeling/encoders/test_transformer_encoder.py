from __future__ import annotations

import numpy as np
import pytest
from layer_cases import CASES, TRANSFORMER
from layer_checks import as_array, check_layer, feature_inputs
from numpy.testing import assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.encoders.transformer_encoder import TransformerEncoder

POSITIONS = ["absolute", "sinusoidal", "relative"]


@pytest.mark.parametrize(
    "name",
    ["transformer_encoder_absolute", "transformer_encoder_relative", "transformer_encoder_convolution"],
)
def test_shared_checks(name, tmp_path):
    check_layer(CASES[name], tmp_path)


@pytest.mark.parametrize("positions", POSITIONS)
def test_order_matters(positions):
    x = feature_inputs(1, 5).x
    encoder = TransformerEncoder(positions=positions, max_length=20, **TRANSFORMER)
    assert not np.allclose(as_array(encoder(x)), as_array(encoder(x[:, ::-1]))[:, ::-1], atol=1e-3)


def test_projects_only_where_sizes_differ():
    for dim, projected in ((8, False), (5, True)):
        encoder = TransformerEncoder(**TRANSFORMER)
        assert encoder(feature_inputs(2, 3, dim=dim).x).shape == (2, 3, 8)
        assert (encoder.projection is not None) is projected


def test_only_norm_first_ends_with_a_normalisation():
    for norm_first in (True, False):
        encoder = TransformerEncoder(norm_first=norm_first, **TRANSFORMER)
        encoder.build((None, None, 8))
        assert (encoder.final_norm is not None) is norm_first


def test_arguments_reach_every_block():
    encoder = TransformerEncoder(
        **{**TRANSFORMER, "num_layers": 3},
        attention_dropout=0.3,
        activation="relu",
        scale_scores=False,
        convolution_kernel_size=2,
    )
    encoder.build((None, None, 8))
    assert len(encoder.blocks) == 3
    for block in encoder.blocks:
        assert (
            block.get_config().items()
            >= {
                "num_heads": 2,
                "intermediate_dim": 12,
                "dropout": 0.1,
                "attention_dropout": 0.3,
                "activation": "relu",
                "norm_first": True,
                "relative_positions": True,
                "scale_scores": False,
                "convolution_kernel_size": 2,
            }.items()
        )


@pytest.mark.parametrize("positions", POSITIONS)
def test_not_even_nan_gets_out_of_padding(positions):
    inputs = feature_inputs(3, 6)
    encoder = TransformerEncoder(positions=positions, max_length=20, **TRANSFORMER)
    expected = as_array(encoder(inputs.x, mask=inputs.mask))
    x = np.where(inputs.mask[..., None], inputs.x, np.nan).astype("float32")
    assert_array_equal(as_array(encoder(x, mask=inputs.mask)), expected)


def test_unknown_positions_are_refused():
    with pytest.raises(SeqlabError, match=r"no such positions[\s\S]*absolute, sinusoidal, relative"):
        TransformerEncoder(positions="rotary", **TRANSFORMER)


def test_absolute_positions_need_a_longest_sentence():
    with pytest.raises(SeqlabError, match="max_length: learned absolute positions"):
        TransformerEncoder(positions="absolute", **TRANSFORMER)
