"""One run of py-spy: what it says of itself, and what it costs."""

from __future__ import annotations

import math
import os
import re
import selectors
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from perfwright.core import Clock

FIRST_S = 0.1
"""CPU that its first looks may take on top of the rest: they read the names of functions."""

_BEGUN = b"Sampling process"
_LATE = re.compile(rb"([\d.]+)s behind in sampling")
_LATE_S = 3.0
"""Py-spy says once a second that it is late; what it said longer ago is over."""
_ERRORS = re.compile(r"Errors: (\d+)")
_KEPT_BYTES = 8_192


@dataclass(slots=True)
class Run:
    """A child of ours that first reads another process's symbols and then looks at it.

    Reading takes 10 ms for a small program on an idle machine and seconds for a large one on a
    busy one, so time counts from when py-spy says that it samples.
    """

    pid: int
    """Of the process looked at."""
    child: subprocess.Popen[bytes]
    clock: Clock
    free_s: float
    """CPU that is not judged: what it may take before it samples, afterwards what it took."""
    samples: bool = False
    """Whether it has said so."""
    told: bool = False
    """To end, by us."""
    seconds: float = 0.0
    """That it sampled; while it has not said that it does, since its start."""
    passed_s: float = 0.0
    """The same, but also while it writes what it has."""
    spent_s: float = 0.0
    """CPU of py-spy."""
    cpu_s: float = 0.0
    """Of the process looked at, in `seconds`."""
    ready_s: dict[int, float] = field(default_factory=dict)
    """The part of `seconds` in which each of its threads ran or waited for a processor, once py-spy
    has ended; threads that have begun or ended meanwhile are left out."""
    _begun_s: float = 0.0
    _cpu_before_s: float = 0.0
    _ready_before_s: dict[int, float] = field(default_factory=dict)
    _said: bytes = b""
    _late: tuple[float, float] = field(default=(0.0, 0.0))
    """How far behind it said it was, and after how many seconds."""

    def __post_init__(self) -> None:
        self._begin()

    @property
    def said(self) -> str:
        """The end of what it said."""
        return self._said.decode(errors="replace")

    def listen(self, timeout_s: float) -> bool:
        """Wait for it to say something, and read the clocks; tell whether it goes on."""
        output = cast("IO[bytes]", self.child.stdout)
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            heard = selector.select(timeout_s)
        chunk = os.read(output.fileno(), 65_536) if heard else b""
        self._look()
        self._hear(chunk)
        goes_on = bool(chunk) if heard else self.child.poll() is None
        if not (goes_on or self.told):
            self._look_at_threads()
        return goes_on

    def left_s(self, seconds: float) -> float:
        """Return what is left of so many seconds of sampling; no end if none was begun."""
        return max(0.0, seconds - self.seconds) if self.samples and not self.told else math.inf

    @property
    def judged_s(self) -> float:
        """CPU it took beyond that of its start."""
        return self.spent_s - self.free_s

    def end(self) -> None:
        """Make it write what it has."""
        self.told = True
        self._look_at_threads()
        self.child.send_signal(signal.SIGINT)

    def looks(self, *, hz: int) -> float:
        """Return how many looks it took when asked for `hz` a second.

        When looks take longer than their turn it skips none, but is later and later.
        """
        behind_s, after_s = self._late
        is_late = after_s > 0.0 and self.seconds - after_s < _LATE_S
        kept_up = max(0.0, 1.0 - behind_s / after_s) if is_late else 1.0
        failed = _ERRORS.findall(self.said)
        return max(0.0, self.seconds * kept_up * hz - (int(failed[-1]) if failed else 0))

    def _begin(self) -> None:
        self._begun_s = self.clock.now()
        self._cpu_before_s = cpu_s_of(self.pid) or 0.0
        self._ready_before_s = ready_s_of_threads(self.pid)
        self.seconds = self.passed_s = self.cpu_s = 0.0

    def _look(self) -> None:
        self.spent_s = cpu_s_of(self.child.pid) or self.spent_s
        self.passed_s = self.clock.now() - self._begun_s
        if not self.told:  # afterwards it only writes
            self.seconds = self.passed_s
            self.cpu_s = max(self.cpu_s, (cpu_s_of(self.pid) or 0.0) - self._cpu_before_s)

    def _look_at_threads(self) -> None:
        now = ready_s_of_threads(self.pid)
        before = self._ready_before_s
        self.ready_s = {thread: now[thread] - before[thread] for thread in now.keys() & before}

    def _hear(self, chunk: bytes) -> None:
        self._said += chunk
        if not self.samples and _BEGUN in self._said:
            self.samples = True
            self.free_s = self.spent_s + FIRST_S
            self._begin()
        if behind := _LATE.findall(chunk):
            self._late = (float(behind[-1]), self.seconds)
        self._said = self._said[-_KEPT_BYTES:]


def cpu_s_of(pid: int) -> float | None:
    """CPU seconds of a process so far; None where `/proc` does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def ready_s_of_threads(pid: int) -> dict[int, float]:
    """Seconds that each thread of a process ran or waited for a processor; empty if not told."""
    found = {}
    with suppress(OSError, ValueError, IndexError):  # another system, or the process has ended
        for folder in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # this thread has ended
                ran_ns, waited_ns = (folder / "schedstat").read_text().split()[:2]
                found[int(folder.name)] = (int(ran_ns) + int(waited_ns)) / 1e9
    return found
