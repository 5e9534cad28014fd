"""TensorFlow without its start-up chatter."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_start() -> Iterator[None]:
    """Hold back what is written to the process's standard error, unless the block raises.

    TensorFlow writes lines about its build and missing CUDA drivers from C++ before any log level holds.
    They say nothing about a run, and hide what does.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            os.dup2(kept, 2)
            held_back.seek(0)
            os.write(2, held_back.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def import_tensorflow() -> None:
    """Import TensorFlow and Keras, and let TensorFlow look for devices, in silence."""
    # Not even errors: what goes wrong is raised, and the rest is oneDNN telling what it cannot do faster.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_start():
        import tensorflow as tf

        tf.config.list_physical_devices()
    # One trace per static shape is what we want; TensorFlow warns of it as a mistake.
    tf.get_logger().setLevel("ERROR")
