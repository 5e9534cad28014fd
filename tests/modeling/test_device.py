from __future__ import annotations

import os

import pytest
import tensorflow as tf

from seqlab.errors import SeqlabError
from seqlab.modeling.device import PLAIN_GRAPHS, quiet_tensorflow, runs_two_operations, select_device
from seqlab.serving import runners


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    """The numbers of threads that are set; TensorFlow refuses to change them once it computes."""
    chosen = {}
    for name in ("inter", "intra"):
        monkeypatch.delenv(f"TF_NUM_{name.upper()}OP_THREADS", raising=False)
        setter = f"set_{name}_op_parallelism_threads"
        monkeypatch.setattr(
            tf.config.threading, setter, lambda number, name=name: chosen.update({name: number})
        )
    return chosen


def test_messages_below_python_are_discarded(capfd):
    with quiet_tensorflow():
        os.write(2, b"message\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_messages_are_written_if_the_block_raises(capfd):
    def fail():
        with quiet_tensorflow():
            os.write(2, b"why it failed\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert capfd.readouterr().err == "why it failed\n"


def test_cpu_is_selected():
    assert select_device("cpu") == "cpu"


@pytest.mark.parametrize(("cores", "expected"), [(1, (1, 1)), (2, (2, 1)), (8, (2, 4)), (9, (2, 4))])
def test_two_operations_share_the_cores(threads, monkeypatch, cores, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    select_device("auto")
    assert (threads["inter"], threads["intra"]) == expected


@pytest.mark.parametrize(("operations", "expected"), [(0, False), (1, False), (2, True)], ids=str)
def test_two_operations_run_at_a_time_if_tensorflow_was_told_so(monkeypatch, operations, expected):
    monkeypatch.setattr(tf.config.threading, "get_inter_op_parallelism_threads", lambda: operations)
    assert runs_two_operations() is expected


@pytest.mark.parametrize("plain", [True, False])
def test_graphs_are_plain_only_if_the_variable_is_set(monkeypatch, plain):
    chosen = []
    monkeypatch.setattr(tf.config.optimizer, "set_experimental_options", chosen.append)
    monkeypatch.delenv(PLAIN_GRAPHS, raising=False)
    if plain:
        monkeypatch.setenv(PLAIN_GRAPHS, "1")
    select_device("cpu")
    assert chosen == [{"disable_meta_optimizer": True}] * plain
    assert runners.PLAIN_GRAPHS == PLAIN_GRAPHS


def test_chosen_numbers_of_threads_are_kept(threads, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    select_device("cpu")
    assert not threads


def test_a_missing_gpu_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    with pytest.raises(SeqlabError, match=r"device: no GPU is visible\n.*\n.*\n  remedy: run `make gpu`"):
        select_device("gpu")
    assert select_device("auto") == "cpu"


def test_gpu_memory_grows_on_demand(monkeypatch):
    grown = []
    gpu = type("Device", (), {"name": "/physical_device:GPU:0"})()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [gpu])
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda device, grow: grown.append((device, grow))
    )
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda device: {"device_name": "Some GPU"}
    )
    assert select_device("gpu") == "Some GPU"
    assert grown == [(gpu, True)]
