from __future__ import annotations

import ctypes
import gc
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

sys.path.insert(0, str(Path(__file__).parent))

from seqlab.tracking.client import SETTINGS
from warm_python import warm_python

# XLA's own translation is tested; LLVM's optimisation of it only takes time.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)

ROOMS = {
    "exports": (
        "tests/serving/",
        "tests/commands/test_card.py",
        "tests/commands/test_evaluate.py",
        "tests/commands/test_tag.py",
        "tests/pipeline/test_exporting.py",
        "tests/test_api.py",
        "tests/test_docs_serving.py",
        "tests/test_examples.py",
    ),
    "warm": (
        "tests/faults/test_run_end_states.py",
        "tests/modeling/test_fresh_process.py",
        "tests/pipeline/test_dag.py",
        "tests/pipeline/test_replicas.py",
        "tests/pipeline/test_verifying.py",
        "tests/pipeline/test_walk.py",
    ),
}
"""Files that use `serving/tiny_taggers.py` or the fixture `warm`, which one process makes once."""


class ByRoomScheduling(LoadFileScheduling):
    """Each test file runs in one process, and all of a room in one."""

    def _split_scope(self, nodeid: str) -> str:
        rooms = (room for room, files in ROOMS.items() if nodeid.startswith(files))
        return next(rooms, super()._split_scope(nodeid))


gc.disable()  # until the test files are imported, because imports make no garbage worth the search


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling:
    return ByRoomScheduling(config, log)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def warm() -> Iterator[Path]:
    """A `python` that has imported TensorFlow, Keras, MLflow and DVC; `warm_python` states its limits."""
    with (
        tempfile.TemporaryDirectory(prefix="warm-") as folder,  # tmp_path is too long for sockets
        warm_python(Path(folder), {**SETTINGS, "TF_CPP_MIN_LOG_LEVEL": "3"}) as python,
    ):
        yield python


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head and a second node, of one core each; both end with the test."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    temporary = tempfile.mkdtemp(prefix="ray-")  # tmp_path is too long for the names of sockets
    monkeypatch.setenv("RAY_TMPDIR", temporary)
    from ray.cluster_utils import Cluster

    # Ray replaces 127.0.0.1 by the address of the network interface.
    node = {"num_cpus": 1, "node_ip_address": "127.0.0.2", "include_dashboard": False}
    nodes = Cluster(initialize_head=True, head_node_args=node)
    try:
        nodes.add_node(num_cpus=1, node_ip_address="127.0.0.3")
        yield nodes
    finally:
        nodes.shutdown()
        shutil.rmtree(temporary, ignore_errors=True)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what commands and stages set, because a handler writes to the output of the test that made it."""
    package = logging.getLogger("seqlab")
    before = package.handlers, package.level, package.propagate
    yield
    package.handlers, package.level, package.propagate = before


@pytest.fixture(autouse=True, scope="module")
def _memory_as_before() -> None:
    """Free the graphs of the last test file, so that a process stays below 3 GB.

    TensorFlow registers the function of every traced `tf.custom_gradient`, and with it the graph, until
    the process ends. This runs before a file, because at the end of the last one its fixtures are still
    alive. The remaining objects, mostly of libraries, are frozen: a later search for garbage, which takes
    0.4 s with them, leaves them out.
    """
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework import ops

        registered = ops.gradient_registry._registry
        for name in [name for name in registered if name.startswith("CustomGradient-")]:
            del registered[name]
    gc.collect()
    gc.freeze()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
