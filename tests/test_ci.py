"""The workflow of docs/ci.md: what its steps run exists, and the shell commands do what they should."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from seqlab.cli import build_parser

REPOSITORY = Path(__file__).parents[1]
TEXT = (REPOSITORY / ".github/workflows/seqlab.yml").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load(TEXT)
STEPS = {step["name"]: step for job in WORKFLOW["jobs"].values() for step in job["steps"] if "name" in step}


@pytest.fixture
def runner(tmp_path):
    """Runs a step as GitHub's runner does, with programs that only write down how they were called."""
    programs, work = tmp_path / "bin", tmp_path / "work"
    for folder in (programs, work, tmp_path / "temp"):
        folder.mkdir()
    for name in ("dvc", "gh"):
        (programs / name).write_text(f'#!/bin/sh\necho "$PWD: {name} $*" >> {tmp_path}/calls\n')
        (programs / name).chmod(0o755)

    def run(name, **variables):
        environment = {
            "PATH": f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}/usr/bin:/bin",
            "HOME": str(tmp_path),
            "RUNNER_TEMP": str(tmp_path / "temp"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "GITHUB_PATH": str(tmp_path / "path"),
            "PYTHONPATH": str(REPOSITORY / "src"),
            "COLUMNS": "120",
            **WORKFLOW["env"],
            **variables,
        }
        done = subprocess.run(
            ["bash", "-e", "-c", STEPS[name]["run"]],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        calls = tmp_path / "calls"
        return calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []

    run.work, run.temp, run.summary = work, tmp_path / "temp", tmp_path / "summary"
    return run


def test_only_the_job_that_runs_no_code_of_the_pull_request_may_write():
    train, comment = WORKFLOW["jobs"]["train"], WORKFLOW["jobs"]["comment"]
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in train
    assert comment["permissions"] == {"pull-requests": "write"}
    assert [step.get("uses") for step in comment["steps"]] == ["actions/download-artifact@v4", None]
    assert train["steps"][0]["with"]["persist-credentials"] is False
    assert "secrets." not in TEXT


def test_no_value_of_the_event_is_part_of_a_command():
    assert [name for name, step in STEPS.items() if "${{" in step.get("run", "")] == []


def test_the_parameters_of_the_small_training_exist():
    words = shlex.split(WORKFLOW["env"]["SMALL"])
    assert words[::2] == ["-S"] * (len(words) // 2)
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    for setting in words[1::2]:
        name, _, value = setting.partition("=")
        found = params
        for part in name.split("."):
            found = found[part]
        assert type(found) is type(yaml.safe_load(value))
    assert WORKFLOW["env"]["TASKS"].split() == params["tasks"]


def test_commands_and_options_of_seqlab_exist():
    commands = re.findall(r"^ *seqlab (.*)$", TEXT, re.M)
    assert commands
    for command in commands:
        assert build_parser().parse_args(shlex.split(command)).run
    targets = re.findall(r"\bmake (\w+)", "\n".join(step.get("run", "") for step in STEPS.values()))
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert targets == ["test"]
    assert "\ntest:" in makefile


def test_the_stamps_of_a_cached_environment_are_those_of_the_makefile(runner):
    (runner.work / ".venv").mkdir()
    runner("Accept the cached environment")
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    stamps = {f"$(VENV)/{path.name}" for path in (runner.work / ".venv").iterdir()}
    assert stamps == set(re.findall(r"^(?:STAMP|DEV) := (.*)$", makefile, re.M))


def test_both_trainings_use_one_cache_and_the_base_its_own_code(runner):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], cwd=runner.work, check=True)
    for text in ("base", "head"):
        (runner.work / "code.py").write_text(text, encoding="utf-8")
        subprocess.run([*git, "add", "."], cwd=runner.work, check=True)
        subprocess.run([*git, "commit", "-q", "-m", text], cwd=runner.work, check=True)
    base = subprocess.run(
        [*git, "rev-parse", "HEAD~1"], cwd=runner.work, check=True, capture_output=True, text=True
    ).stdout.strip()
    runner("Small training")
    calls = runner("Small training of the base", BASE=base)
    copy = runner.temp / "base"
    assert (copy / "code.py").read_text(encoding="utf-8") == "base"
    expected = [f"dvc cache dir --local {runner.temp}/dvc-cache", f"dvc exp run {WORKFLOW['env']['SMALL']}"]
    assert calls == [f"{folder}: {call}" for folder in (runner.work, copy) for call in expected]


def test_the_comparison_is_written_and_commented(runner):
    for folder, predicted in ((runner.temp / "base", "O"), (runner.work, "B-LOC")):
        for task, gold in (("ner", "B-LOC"), ("pos", "PROPN")):
            path = folder / "data" / "predictions" / task / "test.conll"
            path.parent.mkdir(parents=True)
            path.write_text(f"Oslo {gold} {predicted if task == 'ner' else gold}\n\n", encoding="utf-8")
    runner("Comparison")
    text = (runner.work / "comparison.md").read_text(encoding="utf-8")
    assert text.count("\n## ") == 2
    assert "span F1 +1.0000" in text
    assert runner.summary.read_text(encoding="utf-8") == text
    with (runner.work / "comparison.md").open("a", encoding="utf-8") as file:
        file.write("x" * 100_000)
    (call,) = runner("Comment", NUMBER="7", GH_REPO="team/seqlab", GH_TOKEN="")
    assert call.endswith(": gh pr comment 7 --edit-last --create-if-none --body-file comment.md")
    assert (runner.work / "comment.md").stat().st_size == 60_000  # GitHub takes 65,536 characters
