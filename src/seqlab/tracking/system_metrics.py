"""CPU, memory and GPU of the machine during a training, by MLflow's monitors."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor

logger = logging.getLogger(__name__)


class SystemMetrics:
    """Averages over samples, for `TrackedRun.log_metrics`.

    MLflow's own thread is not used: it writes to the store itself, without the pending writes, and ends when
    the store is away. Samples are taken between steps instead.

    Args:
        every_s: seconds between two samples.
    """

    def __init__(self, *, every_s: float = 10.0) -> None:
        self.every_s = every_s
        self._monitors = _monitors()
        self._collect()  # psutil's first CPU percentage is 0
        for monitor in self._monitors:
            monitor.clear_metrics()

    def sample(self) -> None:
        """Take a sample, unless the last one is more recent than `every_s`."""
        if time.monotonic() - self._last_s >= self.every_s:
            self._collect()

    def take(self) -> dict[str, float]:
        """Return the averages since the last call as `system/...`, by MLflow's names for them."""
        self._collect()
        averages: dict[str, float] = {}
        for monitor in self._monitors:
            averages |= {f"system/{name}": value for name, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        return averages

    def _collect(self) -> None:
        self._last_s = time.monotonic()
        try:
            for monitor in self._monitors:
                monitor.collect_metrics()
        except Exception as error:  # of a driver or of /proc: no reason to end a training
            logger.warning("system metrics are no longer logged: %s", error)
            self._monitors = []


def _monitors() -> list[BaseMetricsMonitor]:
    """Return MLflow's monitors whose libraries are installed: psutil, and nvidia-ml-py for GPUs."""
    try:
        from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
        from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    except ImportError:
        return []
    monitors: list[BaseMetricsMonitor] = [CPUMonitor()]
    with suppress(ImportError, RuntimeError):  # no library, no GPU
        monitors.append(GPUMonitor())
    return monitors
