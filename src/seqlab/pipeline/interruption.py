"""Ctrl-C during a training: the first asks for the end of the epoch, the second means now."""

from __future__ import annotations

import signal
import sys
import threading
from types import TracebackType
from typing import Any, Self


class InterruptAtEpochEnd:
    """Within its block, the first SIGINT is only noted, and the next one raises KeyboardInterrupt.

    A process that ignores SIGINT, such as a shell's background job, goes on ignoring it. Outside the main
    thread, which alone receives signals, the block does nothing.
    """

    def __init__(self) -> None:
        self._is_asked = False
        self._former: Any = None
        self._is_main = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if SIGINT was received; call this at the end of an epoch."""
        if self._is_asked:
            raise KeyboardInterrupt("stopped by SIGINT at the end of an epoch")

    def _receive(self, *_: object) -> None:
        if self._is_asked:
            raise KeyboardInterrupt("stopped by SIGINT")
        self._is_asked = True
        print("\ntraining stops at the end of this epoch; press Ctrl-C again to stop it now", file=sys.stderr)

    def __enter__(self) -> Self:
        self._former = signal.getsignal(signal.SIGINT)
        self._is_main = threading.current_thread() is threading.main_thread()
        if self._is_main and self._former != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_main:
            signal.signal(signal.SIGINT, self._former)
