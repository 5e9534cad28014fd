"""A task's name reaches the stage as one argument, and never the shell as a command."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("task", ["ner", "ner; touch written", "$(touch written)", "a'; touch written; '"])
def test_the_task_of_a_stage_is_one_argument(task: str, tmp_path: Path) -> None:
    (tmp_path / "python").write_text('#!/bin/sh\n[ "$1" = -c ] || printf "%s\\n" "$@"\n', encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DVC_STAGE": f"train@{task}"}
    script = REPOSITORY / "src" / "stage.sh"
    done = subprocess.run(
        ["sh", str(script), "train"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, f"-m\nseqlab.stages.train\n{task}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["python"]


def test_no_command_contains_a_parameter() -> None:
    commands = re.findall(r"^    cmd: (.*)$", (REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"), re.M)
    assert len(commands) == 5
    assert not [command for command in commands if "$" in command]
