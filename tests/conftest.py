from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest
from xdist.scheduler import LoadFileScheduling


class ByRoomScheduling(LoadFileScheduling):
    """Each test file runs in one process, and all of `tests/serving` in one, which makes its exports once."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/serving" if nodeid.startswith("tests/serving/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling:
    return ByRoomScheduling(config, log)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what commands and stages set, because a handler writes to the output of the test that made it."""
    package = logging.getLogger("seqlab")
    before = package.handlers, package.level, package.propagate
    yield
    package.handlers, package.level, package.propagate = before
