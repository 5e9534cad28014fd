from __future__ import annotations

import logging

import pytest
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor

from seqlab.tracking import system_metrics
from seqlab.tracking.system_metrics import SystemMetrics


class Monitor(CPUMonitor):
    """Collects 1, 2, 3 and so on."""

    collected = 0

    def collect_metrics(self) -> None:
        self.collected += 1
        self.metrics["number"].append(self.collected)


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> Monitor:
    monitor = Monitor()
    monkeypatch.setattr(system_metrics, "_monitors", lambda: [monitor])
    return monitor


def test_an_epoch_has_the_average_of_its_samples(monitor: Monitor) -> None:
    system = SystemMetrics(every_s=0)
    system.sample()
    system.sample()
    assert system.take() == {"system/number": 3.0}, "of 2, 3 and 4"
    assert system.take() == {"system/number": 5.0}


def test_most_steps_take_no_sample(monitor: Monitor) -> None:
    system = SystemMetrics(every_s=3600)
    for _ in range(100):
        system.sample()
    assert monitor.collected == 1


def test_mlflows_monitors_measure_this_machine() -> None:
    metrics = SystemMetrics().take()
    assert metrics["system/system_memory_usage_megabytes"] > 0
    assert 0 <= metrics["system/cpu_utilization_percentage"] <= 100


def test_an_error_ends_the_metrics_and_not_the_training(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    system = SystemMetrics()

    def fail() -> None:
        raise OSError("no /proc/stat")

    monkeypatch.setattr(monitor, "collect_metrics", fail)
    with caplog.at_level(logging.WARNING):
        assert system.take() == system.take() == {}
    assert [record.message for record in caplog.records] == [
        "system metrics are no longer logged: no /proc/stat"
    ]
