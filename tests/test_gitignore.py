from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
LEFTOVERS = [
    ".seqlab/exports/m-1/export/config.json",
    "data/prepared/.ner.x1y2z3ab/train.npz",
    "docker/model/MLmodel",
    "dvc_plots/index.html",
    "errors.html",
    "metrics/ner/.evaluate.x1y2z3ab.json",
    "metrics/ner/errors.html",
    "metrics/ner/evaluate.json",
    "mlflow.db",
    "mlflow.db-journal",
    "models/ner/.export.x1y2z3ab/saved_model.pb",
    "models/ner/.model.x1y2z3ab.keras",
]


def test_git_ignores_what_dvc_mlflow_and_killed_stages_leave(tmp_path):
    shutil.copy(REPOSITORY / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for name in [*LEFTOVERS, "src/seqlab/params.py", "metrics/ner/scores.json"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    done = subprocess.run(status, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [
        "??", ".gitignore", "??", "metrics/ner/scores.json", "??", "src/seqlab/params.py",
    ]  # fmt: skip
