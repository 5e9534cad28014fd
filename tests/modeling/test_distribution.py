from __future__ import annotations

import json

import pytest
import tensorflow as tf

from seqlab.errors import SeqlabError
from seqlab.modeling.distribution import Replicas, check_batch_size, read_cluster, start_replicas

MACHINES = {"worker": ["a:1", "b:1"]}


def test_without_a_strategy_one_replica_writes_and_shares_nothing():
    replicas = start_replicas("none")
    assert (replicas.count, list(replicas.local), replicas.is_chief) == (1, [0], True)
    assert replicas.from_chief({"span_f1": 0.5}) == {"span_f1": 0.5}
    with replicas.scope(), replicas.reported_lost_machines():
        assert not tf.distribute.has_strategy()


def test_mirrored_on_one_device_is_an_error():
    message = r"mirrored: there is only one device to train on\n.*\n.*\n  remedy: set training.strategy"
    with pytest.raises(SeqlabError, match=message):
        start_replicas("mirrored")


@pytest.mark.parametrize(
    ("cluster", "task", "place"),
    [
        (MACHINES, {"type": "worker", "index": 0}, 0),
        (MACHINES, {"type": "worker", "index": "1"}, 1),
        ({"chief": ["c:1"], **MACHINES}, {"type": "chief", "index": 0}, 0),
        ({**MACHINES, "chief": ["c:1"]}, {"type": "worker", "index": 1}, 2),
    ],
)
def test_the_chief_or_else_the_first_worker_writes(monkeypatch, cluster, task, place):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    read = read_cluster()
    assert (read.index, read.is_chief) == (place, place == 0)
    assert read.addresses[0] == ("c:1" if "chief" in cluster else "a:1")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({"cluster": MACHINES}),
        json.dumps({"cluster": MACHINES, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": MACHINES, "task": {"type": "chief", "index": 0}}),
        json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}),
        json.dumps({"cluster": {**MACHINES, "ps": ["p:1"]}, "task": {"type": "worker", "index": 0}}),
    ],
)
def test_an_invalid_cluster_is_an_error_that_shows_a_valid_one(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(SeqlabError, match=r"TF_CONFIG does not name this machine[\s\S]*: \{\"cluster\""):
        read_cluster()


def test_several_machines_need_tf_config(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    message = r"multi_worker: TF_CONFIG is not set\n[\s\S]*remedy: set TF_CONFIG on every machine"
    with pytest.raises(SeqlabError, match=message):
        start_replicas("multi_worker")


def test_every_replica_needs_a_row_of_each_batch():
    check_batch_size(8, batch_size=8, batch_tokens=None, max_length=128)
    check_batch_size(8, batch_size=1, batch_tokens=1024, max_length=128)
    with pytest.raises(SeqlabError, match=r"batch_size: .*7 sentences .* 8 replicas\n.*at least 8\n"):
        check_batch_size(8, batch_size=7, batch_tokens=None, max_length=128)
    with pytest.raises(SeqlabError, match=r"training.batch_tokens: .*\n.*at least 1024\n.*received: 1023"):
        check_batch_size(8, batch_size=99, batch_tokens=1023, max_length=128)


def test_a_machine_with_other_data_than_the_chief_is_an_error(monkeypatch):
    replicas = Replicas()
    replicas.require_equal(corpus="aa", parameters="bb")
    monkeypatch.setattr(replicas, "from_chief", lambda values: {name: v + 1 for name, v in values.items()})
    with pytest.raises(SeqlabError, match=r"does not have the chief's corpus\n  remedy: give all machines"):
        replicas.require_equal(corpus="aa")
