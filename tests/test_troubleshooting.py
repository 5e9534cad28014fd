"""Each section of docs/troubleshooting.md has the words of a message that is really written."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from seqlab.params_file import load_params, require_paths_inside
from seqlab.tracking.same_run import find_mixed_runs
from seqlab.tracking.ui_server import check_port

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
STAGES = "stages: {copy: {cmd: cp my.conll out.conll, deps: [my.conll], outs: [out.conll]}}\n"


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """A repository of DVC with one stage, whose input neither Git nor DVC tracks."""
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(STAGES, encoding="utf-8")
    Path("my.conll").write_text("Warsaw\tB-LOC\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    with Repo.init() as found:
        Path(".gitignore").write_text("my.conll\n", encoding="utf-8")
        subprocess.run(["git", "add", "."], check=True)
        subprocess.run(["git", *identity, "commit", "--quiet", "-m", "a"], check=True)
        yield found


def lock_held(repo):
    from dvc.lock import Lock

    with Lock("lock", tmp_dir="."):
        Lock("lock", tmp_dir=".").lock()


def stage_blocked(repo):
    from dvc.fs import localfs
    from dvc.rwlock import rwlock

    settings = {"read": [], "write": ["models"], "hardlink": False}
    with rwlock(".", localfs, "dvc repro", **settings), rwlock(".", localfs, "dvc exp run", **settings):
        pass


def file_not_tracked(repo):
    repo.experiments.run(tmp_dir=True)


def path_outside(repo):
    params = load_params(REPOSITORY / "params.yaml")
    corpus = params.corpus.model_copy(update={"mirror": "../mirror"})
    require_paths_inside(params.model_copy(update={"corpus": corpus}), Path.cwd())


def other_commit(repo):
    for folder, name, run_id in (("metrics", "evaluate.json", "a"), ("models", "run.json", "b")):
        (Path(folder) / "ner").mkdir(parents=True)
        (Path(folder) / "ner" / name).write_text(json.dumps({"run_id": run_id}), encoding="utf-8")
    error = find_mixed_runs(Path("models/ner"))
    assert error is not None
    raise error


def no_remote(repo):
    repo.cloud.get_remote()


def port_in_use(repo):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        check_port(other.getsockname()[1])


FAULTS = [lock_held, stage_blocked, file_not_tracked, path_outside, other_commit, no_remote, port_in_use]
CASES = list(zip(re.findall(r"^## `(.*?)`$", PAGE, re.M), FAULTS, strict=True))


@pytest.mark.parametrize(("heading", "fault"), CASES, ids=[fault.__name__ for _, fault in CASES])
def test_the_message_of_a_section_is_written(repo, heading, fault):
    with pytest.raises(Exception, match=r"\S") as raised:
        fault(repo)
    error, messages = raised.value, []
    while error is not None:
        messages.append(str(error))
        error = error.__cause__ or error.__context__
    pattern = re.escape(heading).replace("…", ".*")
    assert re.search(pattern, "\n".join(messages)), messages


def test_a_file_that_is_copied_is_there(repo):
    assert "--copy-paths my.conll" in PAGE
    assert repo.experiments.run(tmp_dir=True, copy_paths=["my.conll"])


def test_the_plots_of_dvc_need_a_network():
    from dvc_render.vega import VegaRenderer

    assert "https://cdn.jsdelivr.net" in VegaRenderer.SCRIPTS
    assert "`cdn.jsdelivr.net`" in PAGE


def test_an_experiment_that_its_worker_lost_is_killed_and_queued_again(repo):
    assert "dvc queue kill crf-4\ndvc exp run --queue --name crf-4 " in PAGE
    queue = repo.experiments.celery_queue

    def states():
        return [(task["name"], task["status"]) for task in queue.status()]

    repo.experiments.run(queue=True, name="crf-4")
    (message,) = Path(queue.wdir, "broker", "in").glob("*.celery.msg")
    message.rename(Path(queue.wdir, "broker", "processed", message.name))
    assert states() == [("crf-4", "Running")]
    queue.kill(["crf-4"])
    assert states() == [("crf-4", "Failed")]
    repo.experiments.run(queue=True, name="crf-4")
    assert states() == [("crf-4", "Queued"), ("crf-4", "Failed")]
