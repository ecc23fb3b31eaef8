"""The way of notices to one destination: in order, tried again when it fails."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter, deque
from collections.abc import Callable

from perfwright.monitoring.alerts.delivery import Destination
from perfwright.monitoring.alerts.notices import Notice

_log = logging.getLogger("perfwright.alerts")
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0


def backoff_s(failures: int, *, rng: random.Random) -> float:
    """How long to wait after the given number of failures in a row: doubles, with full jitter."""
    ceiling = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 30))
    return rng.uniform(0.5, 1.0) * ceiling


class Lane:
    """Delivers to one destination from a thread of its own, so that it holds up no other.

    The thread starts with the first notice, and again in a forked child.

    Args:
        destination: Where to.
        attempts: Tries in all for each notice.
        max_waiting: Notices that may wait.
        wait: Waits for so many seconds, and returns whether to give up; by default until the end.
        rng: Spreads the waits.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        attempts: int,
        max_waiting: int,
        wait: Callable[[float], bool] | None,
        rng: random.Random,
    ) -> None:
        self._destination, self._attempts, self._max_waiting = destination, attempts, max_waiting
        self._wait_by, self._rng = wait, rng
        self._closed = False
        self.counts: Counter[str] = Counter()
        """Notices that were `sent`, `failed` or `dropped`, and tries that were `retried`."""
        self.begin()

    def begin(self) -> None:
        """Begin anew, in a forked child too: the thread and what waited are the parent's."""
        self._waiting: deque[Notice] = deque()
        self._turn = threading.Condition()
        self._busy = self._gave_up = False
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        if self._closed:
            self._closing.set()

    def put(self, notice: Notice) -> bool:
        """Accept a notice for delivery; returns False if it had to be dropped."""
        with self._turn:
            if self._closing.is_set() or len(self._waiting) >= self._max_waiting:
                self.counts["dropped"] += 1
                return False
            self._waiting.append(notice)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._run, name="perfwright-alerts", daemon=True
                )
                self._thread.start()
            self._turn.notify_all()
            return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is delivered or given up; returns False if time ran out first."""
        with self._turn:
            return self._turn.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def stop(self) -> None:
        """Try nothing again, take nothing more, and drop what waits."""
        self._closed = True
        self._closing.set()
        with self._turn:
            self.counts["dropped"] += len(self._waiting)
            self._waiting.clear()
            self._turn.notify_all()

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread; what it still has after that counts as failed."""
        if self._thread is threading.current_thread():
            return
        if self._thread is not None:
            self._thread.join(timeout_s)
        with self._turn:
            if self._busy and not self._gave_up:
                self._gave_up = True
                self.counts["failed"] += 1

    def deliver(self, notice: Notice) -> None:
        """Deliver one notice now, or give it up after all its tries."""
        for attempt in range(1, self._attempts + 1):
            try:
                self._destination.send(notice)
            except Exception as error:  # noqa: BLE001 - a broken service must not end the program
                # Its text may quote an address with a token in it, so only the type is written.
                kind = type(error).__name__
                wait = self._wait_by if self._wait_by is not None else self._closing.wait
                if attempt == self._attempts or wait(backoff_s(attempt, rng=self._rng)):
                    self._count("failed")
                    _log.error(
                        "notice %r was not delivered to %s: %s, %d of %d attempts",
                        notice.title, self._destination.name, kind, attempt, self._attempts,
                    )  # fmt: skip
                    return
                self._count("retried")
            else:
                self._count("sent")
                return

    def _count(self, what: str) -> None:
        with self._turn:
            if not self._gave_up:
                self.counts[what] += 1

    def _run(self) -> None:
        while True:
            with self._turn:
                self._busy = False
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._waiting or self._closing.is_set())
                if not self._waiting:
                    return
                notice = self._waiting.popleft()
                self._busy = True
            try:
                self.deliver(notice)
            except BaseException as error:  # noqa: BLE001 - one that exits ends only its own thread
                self._count("failed")
                _log.error(
                    "notice %r was not delivered to %s: %s",
                    notice.title, self._destination.name, type(error).__name__,
                )  # fmt: skip
