"""Two replicas train as one device does: two logical devices, and two processes, one of which is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from replicated_task import KINDS, params_of, weights_of
from small_task import prepare_small

from seqlab.pipeline.training import train_task

SCRIPT = Path(__file__).with_name("replicated_task.py")
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with prepared data of each kind."""
    folder = tmp_path_factory.mktemp("replicas")
    for task in KINDS:
        prepare_small(folder / task, params_of(task))
    return folder


@pytest.fixture(scope="module")
def expected(data):
    """The weights of one device after training, by kind."""
    return {
        task: weights_of(train_task(data / task / "prepared", task=params_of(task), seed=3)) for task in KINDS
    }


@pytest.fixture
def start(data, tmp_path, warm):
    """Start the script; what still runs when the test ends is killed."""
    started = []

    def start(strategy, *arguments, **environment):
        process = subprocess.Popen(
            [str(warm), str(SCRIPT), strategy, str(data), str(tmp_path), *arguments],
            env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def start_two(start, *arguments):
    """Start two workers on loopback, each with its list of arguments."""
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in (first, second)]
    configs = [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
        for index in range(2)
    ]
    return [
        start("multi_worker", *words, TF_CONFIG=config)
        for words, config in zip(arguments, configs, strict=True)
    ]


def check(folder, task, weights, *, replica):
    with np.load(folder / f"{task}-{replica}.npz") as file:
        for received, value in zip(file.values(), weights, strict=True):
            np.testing.assert_allclose(received, value, atol=1e-5, rtol=1e-5)


def test_two_devices_train_as_one_does(start, tmp_path, expected):
    process = start("mirrored", *KINDS)
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    assert "ner 2 1\n" in output, "two replicas, one trace"
    for task, weights in expected.items():
        check(tmp_path, task, weights, replica=0)
    assert keras.saving.load_model(tmp_path / "ner.keras").name == "tagger"


def test_two_machines_train_as_one_does_and_the_end_of_one_is_an_error_for_the_other(
    start, tmp_path, expected
):
    (tmp_path / "then").mkdir()
    chief, worker = start_two(start, ["ner", "then", "train"], ["ner", "then", "die"])
    worker.communicate(timeout=400)
    killed = time.monotonic()
    assert worker.returncode == -signal.SIGKILL
    output, _ = chief.communicate(timeout=120)
    assert time.monotonic() - killed < 120
    for replica in range(2):
        check(tmp_path, "ner", expected["ner"], replica=replica)
    assert chief.returncode == 1, output
    message = "multi_worker: another machine of the training was stopped or cannot be reached\n  received: "
    assert message in output
    assert "remedy: see that machine's output" in output
    assert list((tmp_path / "then").iterdir()) == [], "only the first machine writes, and it did not finish"
    assert {path.name for path in tmp_path.iterdir()} == {"ner.keras", "ner-0.npz", "ner-1.npz", "then"}
