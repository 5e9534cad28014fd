"""The same layers and taggers, from the same files, on another Keras backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import layer_cases
import numpy as np
from layer_checks import SOURCE, check_fresh_process_reload
from small_taggers import random_batch, small_tagger

KINDS = [
    ("transformer", "softmax", "cnn"),
    ("transformer", "crf", "attention"),
    ("absolute", "softmax", "none"),
    ("bilstm", "softmax", "bilstm"),
    ("bilstm", "crf", "cnn"),
]
ON_JAX = """
import sys
from pathlib import Path
import keras, numpy as np
from keras import ops
import seqlab.modeling.tagger
assert keras.backend.backend() == "jax"
for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    saved = np.load(path.with_suffix(".npz"))
    features = {name: ops.convert_to_tensor(saved[name]) for name in ("token_ids", "char_ids", "shape_ids")}
    real = saved["token_ids"] > 0
    tagger = keras.saving.load_model(path, compile=False)
    logits = tagger(features, training=False)
    received = {
        "logits": logits,
        "tags": tagger.decode(features),
        "probabilities": tagger.head.probabilities(logits, ops.convert_to_tensor(real)),
    }
    for name, value in received.items():
        value = ops.convert_to_numpy(value)
        expected = saved[name][real]
        np.testing.assert_allclose(value[real], expected, rtol=1e-4, atol=1e-5, err_msg=f"{path} {name}")
    loss = float(tagger.compute_loss(features, saved["tag_ids"], logits, saved["weight"]))
    np.testing.assert_allclose(loss, saved["loss"], rtol=1e-5)
    tagger.compile(optimizer=keras.optimizers.AdamW(0.01), jit_compile=True)
    batch = {name: saved[name] for name in features}
    weight = saved["weight"]
    losses = [float(tagger.train_on_batch(batch, saved["tag_ids"], sample_weight=weight)) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0], losses
    print("equal", path.stem)
"""


def test_every_layer_gives_the_same_on_jax(tmp_path: Path) -> None:
    check_fresh_process_reload(layer_cases.CASES, tmp_path, backend="jax", tolerance=1e-4)


def test_every_tagger_gives_the_same_on_jax_and_learns_there_under_xla(tmp_path: Path) -> None:
    features, tag_ids, weight = random_batch([5, 2, 7], length=9)
    for kind in KINDS:
        tagger = small_tagger(*kind)
        path = tmp_path / f"{'_'.join(kind)}.keras"
        tagger.save(path)
        logits = tagger(features, training=False)
        np.savez(
            path.with_suffix(".npz"),
            **features,
            tag_ids=tag_ids,
            weight=weight,
            logits=logits,
            tags=tagger.decode(features),
            probabilities=tagger.head.probabilities(logits, features["token_ids"] > 0),
            loss=tagger.compute_loss(features, tag_ids, logits, weight),
        )
    process = subprocess.run(
        [sys.executable, "-c", ON_JAX, str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stdout.count("equal") == len(KINDS)
