"""Run every stage on a disk that is full, or that fills while the stage runs, and then let `dvc repro` go on.

    python tests/faults/fill_disk.py

The repository is copied to a tmpfs of 64 MB, in a mount namespace of its own. That takes root, or a kernel
that allows user namespaces; otherwise the script says so. Each stage must end with one sentence and no
traceback, and leave no partial output. Not run by pytest: `tests/pipeline/test_stages_disk.py` and
`test_resume.py` limit the size of files instead, which needs no rights.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kill_training import stage_environment

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

TASK = "ner"
STAGES = ("download", "prepare", "train", "evaluate", "export")
SIZE = "64m"
TIMEOUT_S = 900
MOUNT = f'mount -t tmpfs -o size={SIZE} none "$1" && exec "$2" "$3" "$1"'
CHANGES = {"tasks": [TASK], f"{TASK}.training.epochs": 3, f"{TASK}.training.checkpoint_minutes": 0.01}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("disk", type=Path, nargs="?", help="set by the script itself in its namespace")
    if disk := parser.parse_args().disk:
        play(disk)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for options in (["--mount"], ["--user", "--map-root-user", "--mount"]):
            if shutil.which("unshare") and may_mount(["unshare", *options], folder):
                command = ["unshare", *options, "sh", "-c", MOUNT, "sh", folder, sys.executable, __file__]
                return subprocess.run(command).returncode
    print("nothing was played: to mount a tmpfs, this system needs root", file=sys.stderr)
    return 2


def may_mount(unshare: list[str], folder: str) -> bool:
    command = [*unshare, "mount", "-t", "tmpfs", "none", folder]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


def play(disk: Path) -> None:
    from conftest import make_workspace

    repository = disk / "repository"
    workspace = make_workspace(repository)
    workspace.change(CHANGES)
    for name in STAGES:
        command = ["sh", "src/stage.sh", name, *([] if name == "download" else [TASK])]
        with full(disk, free=8_192):
            check(disk, name, "a full disk", *run(repository, command))
        if name == "train":
            process = start(repository, command)
            wait_for_checkpoint(repository, process)
            with full(disk, free=8_192):
                output = process.communicate(timeout=TIMEOUT_S)[0]
                check(disk, name, "a disk that fills in training", process.returncode, output)
        target = name if name == "download" else f"{name}@{TASK}"
        with full(disk, free=8_192):
            status, output = run(repository, ["dvc", "repro", "-s", target])
            assert status, output
        lock = repository / ".dvc" / "tmp" / "rwlock"
        if lock.exists() and not lock.read_text(encoding="utf-8"):
            lock.unlink()
            print("    DVC has left its lock file empty; it is removed", flush=True)
        status, output = run(repository, ["dvc", "repro", "-s", target])
        assert status == 0, output
        goes_on = [line for line in output.splitlines() if "is resumed after" in line]
        print(f"{name}: `dvc repro` succeeds with space: {' '.join(goes_on)}", flush=True)
    status, output = run(repository, ["dvc", "status"])
    assert "up to date" in output, output
    print("dvc status: everything is up to date")


def run(repository: Path, command: list[str]) -> tuple[int, str]:
    """Return the exit status and the output."""
    process = start(repository, command)
    output = process.communicate(timeout=TIMEOUT_S)[0]
    return process.returncode, output


def start(repository: Path, command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=repository,
        env=stage_environment() | {"COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_checkpoint(repository: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not list(repository.glob(".seqlab/checkpoints/*/*/state.npz")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def full(disk: Path, *, free: int) -> Iterator[None]:
    """Fill the disk but for `free` bytes."""
    filler = disk / "filler"
    status = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(status.f_bavail * status.f_frsize - free, 1))
    try:
        yield
    finally:
        filler.unlink()


def check(disk: Path, name: str, fault: str, status: int, output: str) -> None:
    """Check that the stage ended with a sentence and left nothing partial behind."""
    print(f"{name}, {fault}: exit status {status}", flush=True)
    for line in output.splitlines():
        if line.startswith(("error", "warning", "  re")):
            print(f"    {line.replace(str(disk), '')}", flush=True)
    assert status == 1, output
    assert "Traceback" not in output, output
    outputs = [disk / "repository" / part for part in ("data", "models", "metrics")]
    left = [path for folder in outputs for path in folder.rglob(".*.????????*") if path.is_dir()]
    assert not left, left


if __name__ == "__main__":
    sys.exit(main())
