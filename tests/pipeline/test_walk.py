"""examples/walk.sh runs in a copy of the repository: own texts, a task of another name, a champion."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import commit, copy_repository


def test_the_walk(tmp_path: Path, warm: Path) -> None:
    workspace = copy_repository(tmp_path, warm)
    commit(workspace)
    output = workspace.run("sh", "examples/walk.sh")
    assert "texts/columns/train.conll: 240 sentences" in output
    assert "0 errors, 0 warnings" in output
    assert set(workspace.json("metrics/product/scores.json")["product"]["dev"]) == {"span_f1"}
    assert "head.type   crf   softmax" in output
    assert "B − A on test: span F1" in output
    assert "seqlab-product: the champion is version 1" in output
    assert "[Norvik Lamp 3 PRODUCT]" in output
    assert "[('PRODUCT', 'Luma Drill')]" in output
    assert "Traceback" not in output
