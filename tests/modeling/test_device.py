from __future__ import annotations

import pytest
import tensorflow as tf

from seqlab.errors import SeqlabError
from seqlab.modeling.device import select_device


def test_cpu_is_what_it_says():
    assert select_device("cpu") == "cpu"


def test_a_gpu_that_is_not_there_is_an_error_that_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    with pytest.raises(SeqlabError, match=r"device: no GPU is visible\n.*\n.*\n  remedy: run `make gpu`"):
        select_device("gpu")
    assert select_device("auto") == "cpu"


def test_memory_of_a_gpu_grows_on_demand(monkeypatch):
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
