"""Takes notices off the hands of whoever raised them, and retries what fails."""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from perfwright.core import ConfigError
from perfwright.monitoring.alerts.delivery import (
    Deliver,
    Destination,
    LogDestination,
    destinations,
)
from perfwright.monitoring.alerts.notices import Notice
from perfwright.monitoring.forks import renew_after_fork
from perfwright.monitoring.metrics import Metric

_log = logging.getLogger("perfwright.alerts")
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0


def backoff_s(failures: int, *, rng: random.Random) -> float:
    """How long to wait after the given number of failures in a row: doubles, with full jitter."""
    ceiling = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 30))
    return rng.uniform(0.5, 1.0) * ceiling


class Courier:
    """Delivers notices from a thread of its own, in order; nothing it does raises into a program.

    The log is written to at once. The thread starts with the first notice for anything else, and
    again in a forked child.

    Args:
        deliver: Where to; each of several gets every notice, and is retried by itself.
        attempts: Tries in all for each notice and destination.
        max_waiting: Notices that may wait; more are dropped, and counted.
        inline: Deliver within `put` instead, for programs without threads and for tests.
        wait: Waits for so many seconds, and returns whether to give up; by default until `close`.
        rng: Spreads the waits.

    Raises:
        ConfigError: If a number is out of its range, or `deliver` is no destination.
        MissingExtraError: If an URL is given and apprise is not installed.
    """

    def __init__(
        self,
        deliver: Deliver | Sequence[Deliver] = None,
        *,
        attempts: int = 4,
        max_waiting: int = 100,
        inline: bool = False,
        wait: Callable[[float], bool] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        for field, value in (("attempts", attempts), ("max_waiting", max_waiting)):
            if value < 1:
                raise ConfigError(field=field, value=value, problem="must be at least 1")
        every = destinations(deliver)
        self._at_once = [one for one in every if inline or isinstance(one, LogDestination)]
        self._later = [one for one in every if one not in self._at_once]
        self._attempts, self._max_waiting = attempts, max_waiting
        self._rng = rng if rng is not None else random.Random()
        self._wait_by = wait
        self._closed = False
        self.sent = self.failed = self.retried = self.dropped = 0
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Go on in a forked child: the thread and what waited belong to the parent."""
        self._waiting: deque[Notice] = deque()
        self._turn = threading.Condition()
        self._busy = False
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        if self._closed:
            self._closing.set()

    def put(self, notice: Notice) -> bool:
        """Accept a notice for delivery; returns False if it had to be dropped."""
        for destination in self._at_once:
            self._try(notice, destination)
        if not self._later:
            return True
        with self._turn:
            if self._closing.is_set() or len(self._waiting) >= self._max_waiting:
                self.dropped += 1
                return False
            self._waiting.append(notice)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._run, name="perfwright-alerts", daemon=True
                )
                self._thread.start()
            self._turn.notify_all()
            return True

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything is delivered or given up; returns False if time ran out first."""
        with self._turn:
            return self._turn.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Deliver what waits, at most for `timeout_s`, then end; returns whether all was tried."""
        in_time = self.flush(timeout_s)
        self._closed = True
        self._closing.set()
        with self._turn:
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._turn.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return in_time

    def metrics(self) -> Iterable[Metric]:
        """Yield what became of the notices."""
        counts = {
            "sent": self.sent,
            "failed": self.failed,
            "retried": self.retried,
            "dropped": self.dropped,
        }
        for outcome, count in counts.items():
            yield Metric(
                name="alert_deliveries",
                kind="counter",
                value=count,
                help="Deliveries of notices, by what became of them.",
                labels={"outcome": outcome},
            )

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
            for destination in self._later:
                self._try(notice, destination)

    def _try(self, notice: Notice, destination: Destination) -> None:
        for attempt in range(1, self._attempts + 1):
            try:
                destination.send(notice)
            except Exception as error:  # noqa: BLE001 - a broken service must not end the program
                # Its text may quote an address with a token in it, so only the type is written.
                kind = type(error).__name__
                wait = self._wait_by if self._wait_by is not None else self._closing.wait
                if attempt == self._attempts or wait(backoff_s(attempt, rng=self._rng)):
                    self.failed += 1
                    _log.error(
                        "notice %r was not delivered to %s: %s, %d of %d attempts",
                        notice.title, destination.name, kind, attempt, self._attempts,
                    )  # fmt: skip
                    return
                self.retried += 1
            else:
                self.sent += 1
                return
