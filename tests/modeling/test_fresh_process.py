"""Every layer and every kind of tagger, reloaded in a new process, on TensorFlow and on JAX."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from layer_cases import CASES
from layer_checks import as_array, built, model_of
from small_taggers import KINDS, random_batch, small_tagger

SOURCE = Path(__file__).parents[2] / "src"
RELOAD = """
import sys
from pathlib import Path
import keras, numpy as np
from keras import ops
import seqlab.modeling.tagger

if keras.backend.backend() == "jax":  # one compiled function each instead of one for every operation
    from jax import jit as compiled
else:
    compiled = lambda function: function

folder, tolerance, learns = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]

def check(name, what, received, expected):
    received = ops.convert_to_numpy(received)
    np.testing.assert_allclose(received, expected, rtol=tolerance, atol=tolerance, err_msg=f"{name} {what}")

for path in sorted(folder.glob("layers/*.keras")):
    saved = np.load(path.with_suffix(".npz"))
    inputs = [saved[name] for name in ("x", "mask") if name in saved]
    outputs = compiled(keras.saving.load_model(path))(inputs)
    check(path.stem, "outputs", ops.cast(outputs, "float32"), saved["outputs"])
    print("equal", path.stem)

for path in sorted(folder.glob("taggers/*.keras")):
    saved = np.load(path.with_suffix(".npz"))
    features = {name: ops.convert_to_tensor(saved[name]) for name in ("token_ids", "char_ids", "shape_ids")}
    tagger = keras.saving.load_model(path, compile=False)

    def compute(features):
        logits = tagger(features, training=False)
        return {
            "logits": logits,
            "tags": tagger.decode(features),
            "probabilities": tagger.head.probabilities(logits, tagger.compute_token_mask(features)),
            "loss": tagger.compute_loss(features, saved["tag_ids"], logits, saved["weight"]),
        }

    for what, received in compiled(compute)(features).items():
        check(path.stem, what, received, saved[what])
    if path.stem in learns:
        tagger.compile(optimizer=keras.optimizers.AdamW(0.01), jit_compile=True)
        batch = {name: saved[name] for name in features}, saved["tag_ids"]
        losses = [float(tagger.train_on_batch(*batch, sample_weight=saved["weight"])) for _ in range(10)]
        assert losses[-1] < 0.9 * losses[0], losses
    print("equal", path.stem)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with the file of each layer and tagger, and what they compute in this process."""
    folder = tmp_path_factory.mktemp("saved")
    for name in ("layers", "taggers"):
        (folder / name).mkdir()
    for name, case in CASES.items():
        inputs = case.inputs(2, 3)
        model = model_of(built(case, inputs), inputs, explicit_mask=True)
        model = keras.Model(model.inputs, model.outputs[0])
        model.save(folder / "layers" / f"{name}.keras")
        named = dict(zip(("x", "mask"), inputs.arrays(), strict=False))
        np.savez(folder / "layers" / name, **named, outputs=as_array(model(inputs.arrays())))
    features, tag_ids, weight = random_batch([5, 2, 7], length=9)
    for kind in KINDS:
        tagger = small_tagger(*kind)
        name = "-".join(kind)
        tagger.save(folder / "taggers" / f"{name}.keras")
        logits = tagger(features, training=False)
        np.savez(
            folder / "taggers" / name,
            **features,
            tag_ids=tag_ids,
            weight=weight,
            logits=logits,
            tags=tagger.decode(features),
            probabilities=tagger.head.probabilities(logits, features["token_ids"] > 0),
            loss=tagger.compute_loss(features, tag_ids, logits, weight),
        )
    return folder


def reload(folder, *, backend, tolerance, learns=()):
    process = subprocess.run(
        [sys.executable, "-c", RELOAD, str(folder), str(tolerance), *learns],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            "PYTHONPATH": str(SOURCE),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.count("equal") == len(CASES) + len(KINDS)


def test_layers_and_taggers_compute_the_same_in_a_new_process(saved):
    reload(saved, backend="tensorflow", tolerance=1e-6)


def test_layers_and_taggers_compute_the_same_on_jax_and_learn_there_under_xla(saved):
    reload(saved, backend="jax", tolerance=1e-4, learns=["transformer-crf-attention"])
