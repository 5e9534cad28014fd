from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from seqlab.errors import SeqlabError
from seqlab.tracking import past_runs
from seqlab.tracking.past_runs import find_replacement, find_run, read_artifact
from seqlab.tracking.run import REPLACEMENT_TAG, TrackedRun


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with one run that replaces another; its root and the run's id."""
    root = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("MLFLOW_TRACKING"):
                patch.delenv(name)
        tags = {"task": "ner", REPLACEMENT_TAG: "a" * 32}
        with TrackedRun.start(root=root, experiment="e", run_name="n", tags=tags, params={"seed": 1}) as run:
            run.log_metrics({"test/span_f1": 0.5})
            run.log_dict({"key": 1}, "folder/file.json")
        yield root, run.run_id


def test_a_run_is_found_by_its_id_and_its_start(store):
    root, run_id = store
    for name in (run_id, run_id[:8]):
        found = find_run(root, name)
        assert found is not None
        assert (found.run_id, found.name, found.status) == (run_id, "n", "FINISHED")
        assert (found.params, found.metrics) == ({"seed": "1"}, {"test/span_f1": 0.5})
        assert found.tags["task"] == "ner"
        assert found.duration_s is not None


@pytest.mark.parametrize("name", ["f" * 32, "abc", "main", "%%%%", "ffff'; --"])
def test_other_names_find_nothing(store, name):
    assert find_run(store[0], name) is None


def test_a_replacement_is_found_by_the_id_of_the_run_that_it_replaces(store):
    root, run_id = store
    found = find_replacement(root, "a" * 32)
    assert found is not None
    assert found.run_id == run_id
    assert find_replacement(root, "b" * 32) is None


def test_artifacts(store):
    root, run_id = store
    assert b'"key": 1' in (read_artifact(root, run_id, "folder/file.json") or b"")
    assert read_artifact(root, run_id, "folder/other.json") is None
    assert read_artifact(root, run_id, "nowhere/file.json") is None


def test_reading_creates_no_store(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert find_run(tmp_path, "a" * 32) is None
    assert find_replacement(tmp_path, "a" * 32) is None
    assert list(tmp_path.iterdir()) == []


def test_an_ambiguous_start_is_refused(store, monkeypatch):
    runs = [SimpleNamespace(info=SimpleNamespace(run_id=f"abcd{end}")) for end in "12"]
    client = SimpleNamespace(search_experiments=list, search_runs=lambda *_, **__: runs)
    monkeypatch.setattr(past_runs, "mlflow_client", lambda uri: client)
    with pytest.raises(
        SeqlabError, match="abcd: the ids of several runs start with this text\n  received: abcd1, abcd2"
    ):
        find_run(store[0], "abcd")
