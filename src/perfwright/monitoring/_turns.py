"""Whose turn it is to count what waits, when many threads record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import get_ident

_PATIENCE_S = 1.0
"""How long a thread waits at most for another one to count. That one may itself wait for something
that this one holds, if the garbage collector made it run a finalizer: so not for ever."""


class Turns:
    """Lets one thread at a time count, and holds up others only where too much waits.

    Exceptions may arrive anywhere: from signal handlers, or set by other threads. They leave
    nothing locked: `with` takes and gives back a lock of Python's without a moment between, which
    `acquire` and a flag have not.
    """

    __slots__ = ("_waiters", "counter", "lock")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.counter = 0
        """The thread that counts; 0: none."""
        self._waiters: list[threading.Lock] = []

    def take(self, count: Callable[[], None]) -> None:
        """Call `count` when it is this thread's turn, which in a signal handler may be at once."""
        with self.lock:
            outer = self.counter
            try:
                self.counter = get_ident()
                count()
            finally:
                self.counter = outer
                while self._waiters and not outer:
                    self._waiters.pop().release()

    def offer(self, count: Callable[[], None], *, is_full: Callable[[], bool]) -> None:
        """Call `count` unless another thread is at it, which as a rule counts this as well.

        Args:
            count: Counts everything that waits.
            is_full: Whether so much waits that this thread is to add no more before it is counted.
        """
        if not self.counter:
            self.take(count)
            return
        while is_full() and self.counter != get_ident():
            if not self.counter:
                self.take(count)
                return
            if not self._wait():
                return

    def _wait(self) -> bool:
        """Wait for the thread that counts, as it needs the interpreter; False: it takes long."""
        done = threading.Lock()
        done.acquire()  # nobody gives it back but who counted
        self._waiters.append(done)
        return not self.counter or done.acquire(timeout=_PATIENCE_S)
