"""Replicas of a tagger on several devices and machines, by `tf.distribute`."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

from seqlab.errors import SeqlabError

StrategyName = Literal["none", "mirrored", "multi_worker"]

_EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, "task": {"type": "worker", "index": 0}}'
)


class Replicas:
    """The replicas that train one tagger together; by default one, on the device that is selected.

    Args:
        strategy: a `tf.distribute.Strategy`, or None.

    Attributes:
        count: number of replicas, over all machines.
        local: the numbers of the replicas in this process, which start at 0 on the first machine.
        is_chief: whether this process writes the results.
    """

    def __init__(self, strategy: Any = None, *, is_chief: bool = True) -> None:
        self._strategy = strategy
        self.is_chief = is_chief
        self.count, self.local = 1, range(1)
        if strategy is not None:
            from seqlab.modeling.graph import first_replica

            self.count = int(strategy.num_replicas_in_sync)
            first = first_replica(strategy)
            self.local = range(first, first + len(strategy.extended.worker_devices))

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context in which the tagger and its optimizer are made."""
        return nullcontext() if self._strategy is None else self._strategy.scope()

    def from_chief(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the values that the chief passes; all processes call this with the same names."""
        if len(self.local) == self.count:
            return dict(values)
        import tensorflow as tf

        own = tf.constant([values[name] if self.is_chief else 0.0 for name in values], tf.float64)
        parts = self._strategy.experimental_distribute_values_from_function(
            lambda replica: own if replica.replica_id_in_sync_group == self.local[0] else tf.zeros_like(own)
        )
        summed = self._strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)
        return dict(zip(values, summed.numpy().tolist(), strict=True))

    def reported_lost_machines(self) -> AbstractContextManager[None]:
        """Return a context in which the loss of another machine is a `SeqlabError`."""
        return nullcontext() if len(self.local) == self.count else _reported_lost_machines()

    def require_equal(self, **values: str) -> None:
        """Check that all machines have the chief's values.

        Raises:
            SeqlabError: a value differs on this machine.
        """
        own = {name: float(int.from_bytes(value.encode()[:6], "big")) for name, value in values.items()}
        for name, value in self.from_chief(own).items():
            if value != own[name]:
                raise SeqlabError(
                    f"this machine does not have the chief's {name}",
                    where="training.strategy",
                    remedy="give all machines the same commit, params.yaml and data/prepared",
                )


def start_replicas(strategy: StrategyName) -> Replicas:
    """Start the replicas. Call this after `select_device`, before anything is computed.

    Args:
        strategy: `none`; `mirrored`, a replica on every GPU of this machine, or on every logical CPU device
            if no GPU is used; or `multi_worker`, replicas on all machines that `TF_CONFIG` names, which
            waits until all of them have started.

    Raises:
        SeqlabError: there is only one device, `TF_CONFIG` is missing or invalid, or a machine cannot be
            reached.
    """
    if strategy == "none":
        return Replicas()
    import tensorflow as tf

    if strategy == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        if len(devices) == 1:
            raise SeqlabError(
                "there is only one device to train on",
                where="training.strategy: mirrored",
                expected="at least 2 GPUs",
                received=devices[0].name,
                remedy="set training.strategy: none, or check device and CUDA_VISIBLE_DEVICES",
            )
        return Replicas(tf.distribute.MirroredStrategy([device.name for device in devices]))
    cluster = read_cluster()
    with _reported_lost_machines(), _kept_signal_handlers():
        return Replicas(tf.distribute.MultiWorkerMirroredStrategy(), is_chief=cluster.is_chief)


class Cluster:
    """The machines that train together.

    Args:
        addresses: `host:port` of each machine; the first is the chief.
        index: the place of this machine among them.
    """

    def __init__(self, addresses: list[str], index: int) -> None:
        self.addresses, self.index = addresses, index

    @property
    def is_chief(self) -> bool:
        """Whether this machine writes the results."""
        return self.index == 0


def read_cluster() -> Cluster:
    """Read the machines from the environment variable `TF_CONFIG`, which TensorFlow reads as well.

    Raises:
        SeqlabError: it is missing or invalid, or names fewer than two machines.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        machines = config["cluster"]
        names = [kind for kind in ("chief", "worker") if kind in machines]
        addresses = [address for kind in names for address in machines[kind]]
        kind, index = config["task"]["type"], int(config["task"]["index"])
        place = sum(len(machines[name]) for name in names[: names.index(kind)]) + index
        is_valid = not set(machines) - {"chief", "worker"} and 0 <= index < len(machines[kind])
    except (ValueError, KeyError, TypeError):
        is_valid, addresses, place = False, [], 0
    if not is_valid or len(addresses) < 2:
        raise SeqlabError(
            "TF_CONFIG does not name this machine and the others" if text else "TF_CONFIG is not set",
            where="training.strategy: multi_worker",
            expected=_EXAMPLE,
            received=text,
            remedy="set TF_CONFIG on every machine, with its own index; docs/scale.md describes it. For one "
            "machine use none or mirrored",
        )
    return Cluster(addresses, place)


@contextmanager
def _reported_lost_machines() -> Iterator[None]:
    """Report a failure of the communication between machines as an error that names its usual cause.

    Raises:
        SeqlabError: another machine was stopped or cannot be reached.
    """
    import tensorflow as tf

    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
    ) as error:
        lines = [line.strip() for line in str(error.message).splitlines() if line.strip()]
        raise SeqlabError(
            "another machine of the training was stopped or cannot be reached",
            where="training.strategy: multi_worker",
            received=next((line for line in lines if "/job:" in line or "ollective" in line), lines[0])[:300],
            remedy="see that machine's output for the cause, then start the training again on all machines; "
            "nothing has been written",
        ) from None


@contextmanager
def _kept_signal_handlers() -> Iterator[None]:
    """Restore the handler of SIGTERM, which TensorFlow's server replaces by one that ignores it."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and handler is not None:
            signal.signal(signal.SIGTERM, handler)


def check_batch_size(replicas: int, *, batch_size: int, batch_tokens: int | None, max_length: int) -> None:
    """Check that every replica gets a row of every batch.

    Args:
        replicas: their number over all machines.
        batch_size: rows in a batch.
        batch_tokens: positions in a batch, instead of `batch_size`.
        max_length: most tokens in a row.

    Raises:
        SeqlabError: there are more replicas than rows.
    """
    rows = batch_size if batch_tokens is None else batch_tokens // max_length
    if rows < replicas:
        by_tokens = batch_tokens is not None
        raise SeqlabError(
            f"a batch of {rows} sentence{'s' if rows > 1 else ''} cannot be shared by {replicas} replicas",
            where=f"training.{'batch_tokens' if by_tokens else 'batch_size'}",
            expected=f"at least {replicas * max_length if by_tokens else replicas}",
            received=str(batch_tokens if by_tokens else batch_size),
            remedy="raise it, or train on fewer devices",
        )
