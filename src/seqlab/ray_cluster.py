"""The connection to a Ray cluster, or Ray on this machine alone. Ray is an extra."""

from __future__ import annotations

import os
import re
import socket
import sys
from typing import Any

from seqlab.cores import available_cores
from seqlab.errors import SeqlabError

_CONNECT_TIMEOUT_S = 10
_OBJECTS_BYTES = 200 << 20
_LOOPBACK = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
"""Ray replaces 127.0.0.1 by the address of the network, at which others could reach it."""


def connect(address: str | None, *, where: str, otherwise: str) -> Any:
    """Connect to a cluster, or start Ray on this machine, on loopback, without a dashboard; return `ray`.

    `ray.shutdown()` ends what was started.

    Args:
        address: HOST:PORT of a cluster to which this machine belongs, or `auto`; None starts Ray.
        where: the option or command that needs Ray, for errors.
        otherwise: what to do without Ray, for errors.

    Raises:
        SeqlabError: Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise SeqlabError(
            "Ray is not installed",
            where=where,
            expected="the extra `ray` of seqlab",
            remedy=f"run make extras in the repository on every node, or {otherwise}",
        ) from None
    if address is None:
        _start_here(ray, where)
        return ray
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")  # one attempt, of 40 s, instead of eight
    try:
        if match := re.fullmatch(r"(.+):(\d+)", address):
            socket.create_connection((match[1], int(match[2])), timeout=_CONNECT_TIMEOUT_S).close()
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    # Ray raises exceptions of many kinds for addresses that are invalid or do not answer.
    except (ConnectionError, RuntimeError, ValueError, AssertionError, OSError) as error:
        raise SeqlabError(
            "there is no Ray cluster",
            where=f"{where} {address}",
            expected="HOST:PORT of a cluster to which this machine belongs, or auto",
            received=f"{type(error).__name__}: {str(error)[:300]}",
            remedy="start one with `ray start --head`, and run this command on one of its nodes",
        ) from error
    return ray


def _start_here(ray: Any, where: str) -> None:
    try:
        ray.init(
            address="local",
            num_cpus=available_cores(),
            include_dashboard=False,
            object_store_memory=_OBJECTS_BYTES,
            log_to_driver=False,
            configure_logging=False,
            _node_ip_address=_LOOPBACK,
        )
    except Exception as error:  # Ray raises nothing more specific
        ray.shutdown()
        raise SeqlabError(
            "Ray did not start on this machine",
            where=where,
            received=f"{type(error).__name__}: {str(error)[:300]}",
            remedy="try again when the machine is less busy (Ray waits for 30 s); its logs are in "
            "/tmp/ray/session_latest/logs",
        ) from error
