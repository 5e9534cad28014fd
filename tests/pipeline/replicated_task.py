"""Train small taggers on replicas, in a process of its own: `STRATEGY DATA RESULT KIND... [then train|die]`.

DATA contains a folder of prepared data for each kind. After `then`, the first kind is trained for many
epochs; with `die`, the process kills itself after the first of them.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from small_task import small_params

from seqlab.errors import SeqlabError

KINDS = {"ner": "bilstm", "pos": "transformer"}
"""A BiLSTM with CRF, auxiliary tags, exchanged mentions and averaged weights; a Transformer with softmax."""


def params_of(task, **training):
    """The parameters of a kind without dropout, with odd batches, and with changes to `training`."""
    params = small_params(
        task,
        encoder=KINDS[task],
        embedder={"dropout": 0.0, "token_dropout": 0.0},
        training={"batch_size": 7, **training},
    )
    rates = {name: 0.0 for name in params.encoder.model_fields_set if name.endswith("dropout")}
    return params.model_copy(update={"encoder": params.encoder.model_copy(update=rates)})


def weights_of(trained):
    """The weights, except those whose exact gradient is 0: Adam makes steps of their rounding errors."""
    return [
        np.asarray(weight)
        for weight in trained.tagger.weights
        if not weight.path.endswith(("key/bias", "distance_bias"))
    ]


def main(strategy, data, result, *kinds):
    from seqlab.modeling.device import select_device
    from seqlab.modeling.distribution import start_replicas

    select_device("cpu")
    if strategy == "mirrored":
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    replicas = start_replicas(strategy)
    from seqlab.pipeline.training import train_task

    def train(task, epochs, on_epoch):
        with replicas.reported_lost_machines():
            params = params_of(task, strategy=strategy, epochs=epochs)
            prepared = Path(data, task, "prepared")
            trained = train_task(prepared, task=params, seed=3, on_epoch=on_epoch, replicas=replicas)
        if replicas.is_chief:
            trained.save(Path(result, f"{task}.keras"))
        np.savez(Path(result, f"{task}-{replicas.local[0]}.npz"), *weights_of(trained))
        print(task, trained.summary["replicas"], trained.summary["training_traces"], flush=True)

    kinds, _, then = ",".join(kinds).partition(",then,")
    for task in kinds.split(","):
        train(task, 2, lambda row: None)
    if then:
        result = Path(result, "then")
        train(kinds.split(",")[0], 200, lambda row: then == "die" and os.kill(os.getpid(), signal.SIGKILL))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SeqlabError as error:
        print(f"error: {error}", flush=True)
        sys.exit(1)
