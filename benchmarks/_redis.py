"""A private Redis server on a free port, for benchmarks and tests: also killed, paused and full."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHOSEN = "PERFWRIGHT_REDIS_SERVER"
"""Environment variable: path of the server program, taken before the one on PATH."""

REQUIRED = "PERFWRIGHT_REQUIRE_REDIS"
"""Environment variable; set where a server must be had, as in CI."""

_STARTS = 10
_PATIENCE_S = 20.0  # for a start or a stop; what takes longer has failed


class NoServerError(RuntimeError):
    """`redis-server` is not installed: a test is skipped, a benchmark says so."""


class RequiredServerError(RuntimeError):
    """It is not installed, and was required: nothing is skipped."""


@dataclass(slots=True)
class PrivateRedis:
    """One server process in memory alone; it keeps its port over restarts."""

    program: str
    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process; raises when it does not run."""
        if self.process is None:
            raise RuntimeError(f"the Redis server of port {self.port} is not running")
        return self.process.pid

    def start(self) -> None:
        """Start it, and wait until it answers (`NOAUTH` is an answer too)."""
        for attempt in range(_STARTS):
            self.process = self._launch()
            if self._answers():
                return
            self.kill()
            # A client that reconnects to a free local port may hold the port itself for a moment.
            time.sleep(0.1 * (attempt + 1))
        raise RuntimeError(f"Redis does not start:\n{(self.folder / 'log').read_text()[-2_000:]}")

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP: connections stay open, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Kill it, and start it empty on the same port."""
        self.kill()
        self.start()

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        memory_only = ("--save", "", "--appendonly", "no")
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self.program, *settings, *memory_only, *self.options],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _answers(self) -> bool:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until and self.process and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as talk:
                    talk.sendall(b"PING\r\n")
                    if talk.recv(64).startswith((b"+PONG", b"-NOAUTH")):
                        return True
            except OSError:
                pass
            time.sleep(0.01)
        return False

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # a paused process ends only when it goes on
        process.wait(_PATIENCE_S)


def find_program() -> str:
    """Return the server program.

    Raises:
        NoServerError: If there is none.
        RequiredServerError: If there is none, and `PERFWRIGHT_REQUIRE_REDIS` is set.
    """
    program = os.environ.get(CHOSEN) or shutil.which("redis-server")
    if program:
        return program
    text = f"redis-server is not on PATH; install it, or set {CHOSEN} to its path"
    raise RequiredServerError(text) if os.environ.get(REQUIRED) else NoServerError(text)


@contextmanager
def private_redis(*options: str) -> Iterator[PrivateRedis]:
    """Run a server of one's own: `private_redis("--maxmemory", "2mb")`.

    Raises:
        NoServerError: If the program is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="perfwright-redis-") as folder:
        server = PrivateRedis(find_program(), Path(folder), free_port(), options)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
