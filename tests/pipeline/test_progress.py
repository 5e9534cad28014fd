from __future__ import annotations

import io

import pytest
from rich.console import Console

from seqlab.pipeline.progress import TrainingProgress

SUMMARY = {
    "steps_per_epoch": 9,
    "buckets": [[32, 8], [16, 64]],
    "run_eagerly": False,
    "jit_compile": True,
    "replicas": 8,
    "parameters": 1234567,
    "rows_per_epoch": 300,
    "rows_dropped_per_epoch": 7,
}


@pytest.mark.parametrize("terminal", [False, True])
def test_the_plan_and_every_epoch_are_shown(terminal):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=200)
    with TrainingProgress("ner on cpu", epochs=3, console=console) as progress:
        progress.start(SUMMARY)
        progress.step(1, 9, 0.5)
        progress.epoch(
            {"epoch": 1, "train_loss": 0.25, "span_f1": 0.5, "token_accuracy": 0.9, "duration_s": 12.3}
        )
    text = screen.getvalue()
    assert "1,234,567 parameters, graph mode with XLA, 8 replicas; up to 3 epochs of 9 steps" in text
    assert "32x8, 16x64; 7 of 307 rows dropped per epoch" in text
    assert "epoch 1/3: train loss 0.2500, dev span_f1 0.5000, token_accuracy 0.9000, 12 s" in text


def test_a_long_epoch_is_not_silent_without_a_terminal(monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("seqlab.pipeline.progress.time.monotonic", lambda: next(clock))
    screen = io.StringIO()
    with TrainingProgress("ner", epochs=2, console=Console(file=screen, width=200)) as progress:
        progress.start(SUMMARY)
        for step in range(1, 5):
            progress.step(1, step, 0.5)
    assert "epoch 1/2, step 2/9, loss 0.500" in screen.getvalue()
