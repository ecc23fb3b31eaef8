"""Several processes on one port: the kernel spreads connections over them."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from perfwright.core import Clock

_MAX_RESTARTS = 5
"""Of all workers together without a quiet time in between; then something is wrong for good."""
_QUIET_S = 10.0
_TURN_S = 0.1
_STOPS = (signal.SIGTERM, signal.SIGINT)
"""A worker that is told to stop before it listens ends by the signal itself, which is no fault."""


def reserve_port(host: str, port: int) -> socket.socket:
    """Hold a port for workers that will share it; nothing is accepted here.

    Raises:
        OSError: If it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind((host, port))  # fails where another gateway shares this port with its workers
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    except OSError:
        held.close()
        raise
    return held


class Workers:
    """Forks workers, passes signals on to them, and replaces those that die.

    Call it before any thread or event loop is started.

    Args:
        count: How many.
        work: What each does; returns its exit code, 0 when it was told to stop. It is handed what
            it calls when it listens.
        on_ready: Called once, when all listen.
        clock: Tells how long workers live.
    """

    def __init__(
        self,
        count: int,
        *,
        work: Callable[[Callable[[int], None]], int],
        on_ready: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._count, self._work, self._now = count, work, clock.now
        self._on_ready = on_ready
        self._heard, self._told = os.pipe()
        self._pids: set[int] = set()
        self._is_stopping = False
        self._codes: list[int] = []
        self._restarts, self._restarted_s = 0, clock.now()

    def run(self) -> int:
        """Run until all have ended; returns the worst of their exit codes."""
        for each in _STOPS:
            signal.signal(each, self._pass_on)
        for _ in range(self._count):
            self._fork()
        self._wait_until_ready()
        while self._pids:
            self._bury(*os.wait())
        return max(self._codes, default=0)

    def _wait_until_ready(self) -> None:
        ready = 0
        while ready < self._count and not self._is_stopping:
            if select.select([self._heard], [], [], _TURN_S)[0]:
                ready += len(os.read(self._heard, self._count))
            self._bury(*os.waitpid(-1, os.WNOHANG))
        if not self._is_stopping:
            self._on_ready()

    def _tell_ready(self, _: int) -> None:
        os.write(self._told, b".")

    def _bury(self, pid: int, status: int) -> None:
        if pid:
            self._pids.discard(pid)
            self._buried(os.waitstatus_to_exitcode(status))

    def _buried(self, code: int) -> None:
        if self._is_stopping or code == 0:
            self._codes.append(0 if -code in _STOPS else abs(code))
            return
        if self._now() - self._restarted_s > _QUIET_S:
            self._restarts = 0
        self._restarts, self._restarted_s = self._restarts + 1, self._now()
        if self._restarts <= _MAX_RESTARTS:
            self._fork()
            return
        self._codes.append(abs(code))
        self._pass_on(signal.SIGTERM, None)

    def _fork(self) -> None:
        pid = os.fork()
        if pid:
            self._pids.add(pid)
            return
        code = 2
        try:
            for each in _STOPS:
                signal.signal(each, signal.SIG_DFL)
            code = self._work(self._tell_ready)
        finally:
            os._exit(code)  # whatever happened: the parent's stack is not this process's

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        self._is_stopping = True
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
