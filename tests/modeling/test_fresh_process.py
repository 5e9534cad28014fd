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
if "without-tensorflow" in sys.argv:
    sys.modules["tensorflow"] = None  # importing it raises ModuleNotFoundError
import keras, numpy as np
from keras import ops
import seqlab.modeling.tagger
from seqlab.batching.buckets import Bucket, cut_windows
from seqlab.batching.encoding import EncodedSplit
from seqlab.batching.gathering import BatchGatherer
from seqlab.batching.planning import EpochPlanner
from seqlab.modeling.fit import fit
from seqlab.modeling.optimizer import make_optimizer

if keras.backend.backend() == "jax":  # one compiled function each instead of one for every operation
    from jax import jit as compiled

    # The files hold the weights. For random initial ones, JAX would compile a function for each shape.
    for name in ("VarianceScaling", "RandomUniform", "Orthogonal"):
        kind = getattr(keras.initializers, name)
        kind.__call__ = lambda self, shape, dtype=None: np.zeros(shape, "float32")
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
    by_type = ("token_ids", "char_ids", "shape_ids")
    features = {
        name: ops.convert_to_tensor(saved[name])
        for name in (*by_type, "piece_ids", "piece_starts", "piece_counts")
    }
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
        # Three sentences whose types are the tokens of the saved batch, read in epochs of one batch.
        real = saved["weight"] > 0
        split = EncodedSplit(
            type_ids=np.arange(1, real.sum() + 1),
            tag_ids=saved["tag_ids"][real],
            offsets=np.cumsum([0, *real.sum(axis=1)]),
            types=[],
            features={
                name: np.concatenate([0 * saved[name][real][:1], saved[name][real]]) for name in by_type
            },
            tags=[],
            num_tags=tagger.head.num_tags,
            places=np.zeros((len(real), 2), np.int32),
            files=["corpus"],
        )
        windows = cut_windows(split.offsets, max_length=9)
        gatherer = BatchGatherer(split, windows, distinct_types=False)
        planner = EpochPlanner(windows.length, [Bucket(9, 3)])
        tagger.compile(
            optimizer=make_optimizer(
                learning_rate=0.01, warmup_steps=2, total_steps=100, clip_norm=1.0, averaged_steps=4
            )
        )
        result = fit(
            tagger,
            training_dataset=lambda epoch, skipped: [
                gatherer.gather(planned).for_training for planned in planner.batches(seed=1, epoch=epoch)
            ],
            score=lambda: {"score": 0.0},
            monitor="score",
            epochs=10,
            patience=10,
            seed=1,
        )
        losses = [row["train_loss"] for row in result.history]
        check(path.stem, "first loss", losses[0], saved["loss"])
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


def reload(python, folder, *, backend, tolerance, learns=()):
    process = subprocess.run(
        [str(python), "-c", RELOAD, str(folder), str(tolerance), *learns],
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


def test_layers_and_taggers_compute_the_same_in_a_new_process(saved, warm):
    reload(warm, saved, backend="tensorflow", tolerance=1e-6)


def test_on_jax_without_tensorflow_all_compute_the_same_and_planned_epochs_are_learned(saved):
    learns = ["without-tensorflow", "transformer-crf-attention"]
    reload(sys.executable, saved, backend="jax", tolerance=1e-4, learns=learns)
