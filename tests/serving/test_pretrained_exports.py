"""Exports of taggers with a small pretrained encoder with random weights, in every form."""

from __future__ import annotations

from functools import cache

import keras
import keras_hub
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
import tiny_taggers
from tiny_taggers import TAGS, make_encoder

from seqlab.batching.pieces import SpecialPieces
from seqlab.batching.vocabulary import Vocabulary
from seqlab.errors import SeqlabError
from seqlab.modeling.embedder import TokenFeatureEmbedder
from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.encoders.no_encoder import NoEncoder
from seqlab.modeling.encoders.transformer import TransformerEncoder
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.pretrained import backbone_settings
from seqlab.modeling.tagger import Tagger, smallest_batch
from seqlab.serving.graph_operations import check_saved_model
from seqlab.serving.onnx.onnx_export import export_onnx
from seqlab.serving.onnx.onnx_graph import UnsupportedLayerError
from seqlab.serving.onnx.onnx_tagging import export_tagging
from seqlab.serving.piece_rules import piece_rules
from seqlab.serving.reference import make_batches, tag_batches
from seqlab.serving.saved_model import export_saved_model
from seqlab.serving.tagging import onnx_tagger, saved_model_tagger

SENTENCES = [*tiny_taggers.SENTENCES, "wait" * 9 + " was"]
TOKENS = [sentence.split(" ") for sentence in SENTENCES]
LETTERS = sorted({c for sentence in SENTENCES for c in sentence.lower() if not c.isspace()} - set("qzx﷽"))
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "##ing", "was", "mar", "##ie"]
VOCABULARY += [prefix + letter for letter in LETTERS for prefix in ("", "##")]
MAX_PIECES = 14
WINDOW = {"max_length": 12, "overlap": 3}
DIM = {"hidden_dim": 8, "intermediate_dim": 12, "num_heads": 2, "num_layers": 2}
BACKBONES = {
    "BertBackbone": {},
    "DistilBertBackbone": {},
    "ElectraBackbone": {"embedding_dim": 6},
    "RobertaBackbone": {},
    "XLMRobertaBackbone": {},
}


@cache
def tokenizer():
    return keras_hub.models.BertTokenizer(vocabulary=VOCABULARY, lowercase=True, strip_accents=True)


@cache
def encoder():
    special = SpecialPieces(start=2, end=3, unknown=1, max_pieces=MAX_PIECES)
    return make_encoder().__class__(**{**vars(make_encoder()), "pieces": special})


def make_tagger(
    backbone="BertBackbone", *, body="none", pooling="first", layers="last", features=True, **options
):
    keras.utils.set_random_seed(3)
    vocabularies = encoder()
    is_electra = backbone == "ElectraBackbone"
    size = {"vocab_size" if is_electra else "vocabulary_size": len(VOCABULARY)}
    size["max_sequence_length"] = MAX_PIECES + 2
    hub = getattr(keras_hub.models, backbone)(**size, **DIM, **BACKBONES.get(backbone, {}), **options)
    bodies = {
        "none": lambda: NoEncoder(name="encoder"),
        "bilstm": lambda: BiLSTMEncoder(num_layers=1, units=4, name="encoder"),
        "transformer": lambda: TransformerEncoder(
            num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8, max_length=12, name="encoder"
        ),
    }
    tagger = Tagger(
        name="tagger",
        embedder=TokenFeatureEmbedder(
            token_vocabulary_size=len(vocabularies.tokens),
            token_embedding_dim=4 if features else 0,
            characters="cnn" if features else "none",
            character_vocabulary_size=len(vocabularies.characters),
            character_embedding_dim=4,
            character_filters=4,
            shape_vocabulary_size=len(vocabularies.shapes) if features else 0,
            pretrained=backbone_settings(hub) | {"pooling": pooling, "layers": layers},
            name="embedder",
        ),
        encoder=bodies[body](),
        head=SoftmaxHead(num_tags=len(TAGS["pos"]) + 2, name="head"),
    )
    tagger(smallest_batch(max_token_length=vocabularies.max_token_length))
    random = np.random.default_rng(5)
    for weight in tagger.weights:
        if keras.backend.is_float_dtype(weight.dtype):
            weight.assign(np.asarray(weight) + random.normal(0, 0.3, weight.shape))
    return tagger


def tokenize(tokens):
    return [list(map(int, row)) for row in tokenizer().tokenize(list(tokens))]


@cache
def batch():
    """The sentences as ids: one has a token with more pieces than a row takes, and some are cut by pieces."""
    (made,) = make_batches(TOKENS, encoder=encoder(), tokenize=tokenize)
    assert made["piece_ids"].shape[2] == MAX_PIECES
    assert (made["piece_ids"] >= 0).sum(axis=(1, 2)).max() > 3 * MAX_PIECES
    return made


def expected(tagger):
    return tag_batches(tagger, [batch()], pieces=encoder().pieces, **WINDOW)


def assert_agrees(received, wanted, message):
    np.testing.assert_array_equal(received[0], wanted[0], err_msg=message)
    np.testing.assert_allclose(received[1], wanted[1], atol=2e-5, err_msg=message)


def run_onnx(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    tag_ids, probabilities, mask = session.run(["tag_ids", "probabilities", "mask"], batch())
    return tag_ids[mask], probabilities[mask]


OTHER = {"body": "bilstm", "pooling": "mean", "layers": "mix"}


@pytest.mark.parametrize(
    ("name", "options"), list(zip(BACKBONES, [{}, OTHER, {"body": "transformer"}, {}, OTHER], strict=True))
)
def test_onnx_agrees_with_the_tagger(name, options, tmp_path):
    tagger = make_tagger(name, **options)
    export_onnx(
        tagger,
        tmp_path / "m.onnx",
        max_token_length=encoder().max_token_length,
        pieces=encoder().pieces,
        **WINDOW,
    )
    assert_agrees(run_onnx(tmp_path / "m.onnx"), expected(tagger), name)


def run_ids(loaded):
    outputs = loaded.signatures["ids"](**{name: tf.constant(ids) for name, ids in batch().items()})
    mask = outputs["mask"].numpy()
    return [outputs[name].numpy()[mask] for name in ("tag_ids", "probabilities")]


def tag_by_onnx(folder, monkeypatch):
    monkeypatch.setattr(onnx_tagger, "read_checked_config", lambda *_, **__: {"tag_scheme": None})
    tokens = [token for sentence in TOKENS for token in sentence]
    return onnx_tagger.OnnxTagger(folder).tag_tokens(tokens, np.array([len(s) for s in TOKENS]))


@pytest.mark.parametrize("options", [{}, OTHER])
def test_saved_model_and_tag_agree_with_the_tagger_from_strings(options, tmp_path, monkeypatch):
    tagger = make_tagger(**options)
    tags = Vocabulary(TAGS["pos"])
    rules = piece_rules(tokenizer())
    settings = {"encoder": encoder(), "tags": tags, "spans": False, "pieces": rules, **WINDOW}
    wanted = expected(tagger)

    export_saved_model(tagger, tmp_path, **settings)
    check_saved_model(tmp_path)
    loaded = tf.saved_model.load(str(tmp_path))
    outputs = loaded.signatures["serving_default"](sentences=tf.constant(SENTENCES))
    mask = outputs["mask"].numpy()
    assert_agrees([outputs[n].numpy()[mask] for n in ("tag_ids", "probabilities")], wanted, "sentences")
    assert_agrees(run_ids(loaded), wanted, "ids")
    assert loaded.signatures["text"](texts=tf.constant(["", " "]))["mask"].shape == (2, 0)

    export_tagging(tagger, tmp_path, **settings)
    assert_agrees(tag_by_onnx(tmp_path, monkeypatch), wanted, "tag")
    assert onnx_tagger.OnnxTagger(tmp_path, int8=True).tag(SENTENCES[:1])[0].tokens


def test_tag_agrees_if_the_pretrained_encoder_is_the_only_feature(tmp_path, monkeypatch):
    tagger = make_tagger(features=False, body="transformer")
    settings = {"encoder": encoder(), "tags": Vocabulary(TAGS["pos"]), "spans": False, **WINDOW}
    export_tagging(tagger, tmp_path, pieces=piece_rules(tokenizer()), **settings)
    assert_agrees(tag_by_onnx(tmp_path, monkeypatch), expected(tagger), "tag")


def test_without_rules_of_the_tokenizer_the_saved_model_takes_ids_alone(tmp_path, monkeypatch):
    tagger = make_tagger()
    settings = {"encoder": encoder(), "tags": Vocabulary(TAGS["pos"]), "spans": False, **WINDOW}
    export_saved_model(tagger, tmp_path, **settings)
    loaded = tf.saved_model.load(str(tmp_path))
    assert list(loaded.signatures) == ["ids"]
    assert_agrees(run_ids(loaded), expected(tagger), "ids")
    monkeypatch.setattr(saved_model_tagger, "read_checked_config", lambda *_, **__: {"tag_scheme": None})
    with pytest.raises(SeqlabError, match="takes the pieces of tokens, not text"):
        saved_model_tagger.SavedModelTagger(tmp_path)


def test_an_encoder_of_other_layers_is_no_onnx(tmp_path):
    tagger = make_tagger("DebertaV3Backbone")
    with pytest.raises(UnsupportedLayerError, match="cannot be written as ONNX"):
        export_onnx(tagger, tmp_path / "m.onnx", max_token_length=7, pieces=encoder().pieces, **WINDOW)
