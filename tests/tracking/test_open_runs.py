from __future__ import annotations

import json
from pathlib import Path

from seqlab.tracking import open_runs
from seqlab.tracking.open_runs import OpenRun, killed_runs

STORE = {"experiment": "seqlab-ner", "tracking_uri": "http://host"}


def killed(root: Path, run_id: str, **changes: str) -> None:
    """Leave the record of a killed process: a file that no process has locked."""
    record = OpenRun(root, run_id=run_id, **STORE)
    content = json.loads(record.path.read_text()) | changes
    record.close()
    record.path.write_text(json.dumps(content))


def test_only_runs_of_killed_processes_of_the_same_experiment_store_and_machine(tmp_path: Path) -> None:
    living = OpenRun(tmp_path, run_id="living", **STORE)
    killed(tmp_path, "dead")
    killed(tmp_path, "other-experiment", experiment="seqlab-pos")
    killed(tmp_path, "other-store", tracking_uri="http://other")
    killed(tmp_path, "other-machine", host="far")
    assert [run_id for run_id, _ in killed_runs(tmp_path, **STORE)] == ["dead"]
    assert list(killed_runs(tmp_path, **STORE)) == []
    living.close()
    living.close()
    assert len(list(living.path.parent.iterdir())) == 3


def test_the_last_write_is_the_time_of_the_file(tmp_path: Path) -> None:
    killed(tmp_path, "dead")
    (tmp_path / ".seqlab" / "open-runs" / "dead.json").touch()
    written_ms = (tmp_path / ".seqlab" / "open-runs" / "dead.json").stat().st_mtime_ns // 1_000_000
    assert list(killed_runs(tmp_path, **STORE)) == [("dead", written_ms)]


def test_a_record_stays_if_its_run_could_not_be_ended(tmp_path: Path) -> None:
    killed(tmp_path, "dead")
    for _ in killed_runs(tmp_path, **STORE):
        break
    assert [run_id for run_id, _ in killed_runs(tmp_path, **STORE)] == ["dead"]


def test_a_record_names_process_and_machine(tmp_path: Path) -> None:
    record = OpenRun(tmp_path, run_id="a", **STORE)
    content = json.loads(record.path.read_text())
    assert content["pid"] == open_runs.os.getpid()
    assert content["host"] == open_runs.socket.gethostname()
    record.close()
    assert not record.path.exists()
