"""Which device a process computes on."""

from __future__ import annotations

from seqlab.errors import SeqlabError
from seqlab.modeling.quiet import import_tensorflow


def select_device(device: str) -> str:
    """Make `device` the one that TensorFlow uses; call it before anything is computed.

    Memory on a GPU grows on demand. Other Keras backends choose for themselves, and `auto` is all they take.

    Args:
        device: `auto` (a GPU where one is visible), `cpu` or `gpu`.

    Returns:
        A description for the record: `cpu`, or the GPUs' names.

    Raises:
        SeqlabError: a GPU was asked for and none is visible.
    """
    import_tensorflow()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
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
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return ", ".join(names) or "cpu"
