"""Device selection, and TensorFlow without its start-up messages."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from seqlab.cores import available_cores
from seqlab.errors import SeqlabError

PLAIN_GRAPHS = "SEQLAB_PLAIN_GRAPHS"
"""Environment variable: if it is set, TensorFlow runs graphs as traced, without Grappler's optimisations.

Grappler takes about a second for each graph, which is only worth it if the graph runs often.
"""


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Discard what the block writes to file descriptor 2, unless the block raises.

    TensorFlow's C++ code writes messages about its build and missing CUDA drivers before any log level
    applies.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            messages.seek(0)
            os.write(stderr, messages.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


def select_device(device: str, *, deterministic: bool = False) -> str:
    """Make `device` the one that TensorFlow uses. Call this before anything is computed.

    GPU memory grows on demand. Without a GPU, two operations run at a time, each on half of the cores, unless
    TF_NUM_INTEROP_THREADS or TF_NUM_INTRAOP_THREADS is set. The other Keras backends select a device
    themselves.

    Args:
        device: `auto` (a GPU if one is visible), `cpu` or `gpu`.
        deterministic: use only deterministic operations, and no XLA; an operation without a deterministic
            form raises.

    Returns:
        `cpu`, or the names of the GPUs.

    Raises:
        SeqlabError: `gpu` was requested and no GPU is visible.
    """
    with quiet_tensorflow():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    if PLAIN_GRAPHS in os.environ:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # The training step is traced once per static shape on purpose; TensorFlow warns about that.
    tf.get_logger().setLevel("ERROR")
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
        _share_cores()
        return "cpu"
    if device == "gpu" and not gpus:
        built = "is" if tf.test.is_built_with_cuda() else "is not"
        raise SeqlabError(
            "no GPU is visible",
            where="device",
            expected="a CUDA GPU",
            received=f"none; this TensorFlow {built} built with CUDA",
            remedy="run `make gpu` to install the CUDA libraries, check `nvidia-smi` and "
            "CUDA_VISIBLE_DEVICES, or set device: auto",
        )
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        _share_cores()
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return ", ".join(names) or "cpu"


def runs_two_operations() -> bool:
    """Whether TensorFlow runs two operations at a time, as `select_device` asks for without a GPU."""
    import tensorflow as tf

    return bool(tf.config.threading.get_inter_op_parallelism_threads() == 2)


def _share_cores() -> None:
    """Run two operations at a time, each on half of the cores.

    A tagger's operations are small, and many do not depend on each other: the directions of an LSTM, the
    gradients with respect to weights and to inputs, the updates of the weights. With TensorFlow's default,
    each operation on all cores, training on two cores is up to a third slower.
    """
    import tensorflow as tf

    if {"TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS"} & os.environ.keys():
        return
    cores = available_cores()
    with suppress(RuntimeError):  # TensorFlow already computes, and its threads cannot be changed
        tf.config.threading.set_inter_op_parallelism_threads(min(cores, 2))
        tf.config.threading.set_intra_op_parallelism_threads(max(cores // 2, 1))
