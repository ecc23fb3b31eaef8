"""Takes notices off the hands of whoever raised them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence

from perfwright.core import ConfigError
from perfwright.monitoring.alerts.delivery import Deliver, LogDestination, destinations
from perfwright.monitoring.alerts.lane import Lane
from perfwright.monitoring.alerts.notices import Notice
from perfwright.monitoring.forks import renew_after_fork
from perfwright.monitoring.metrics import Metric

_END_S = 0.2
"""For threads to notice that nothing is tried again, after the time to close."""


class Courier:
    """Delivers notices from threads of its own; nothing it does raises into a program.

    Each destination has its thread, its queue and its retries: one that is away or hangs holds up
    no other. The log is written to at once.

    Args:
        deliver: Where to; each of several gets every notice.
        attempts: Tries in all for each notice and destination.
        max_waiting: Notices that may wait for each destination; more are dropped, and counted.
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
            if type(value) is not int or value < 1:
                problem = "must be a whole number of at least 1"
                raise ConfigError(field=field, value=value, problem=problem)
        rng = rng if rng is not None else random.Random()
        self._at_once: list[Lane] = []
        self._later: list[Lane] = []
        for destination in destinations(deliver):
            lane = Lane(destination, attempts=attempts, max_waiting=max_waiting, wait=wait, rng=rng)
            at_once = inline or isinstance(destination, LogDestination)
            (self._at_once if at_once else self._later).append(lane)
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Go on in a forked child: the threads and what waited belong to the parent."""
        for lane in (*self._at_once, *self._later):
            lane.begin()

    def put(self, notice: Notice) -> bool:
        """Accept a notice for delivery; returns False if one destination at least will not get it.

        What does not find room for one destination is dropped there, and counted.
        """
        for lane in self._at_once:
            lane.deliver(notice)
        accepted = [lane.put(notice) for lane in self._later]
        return all(accepted)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything is delivered or given up; returns False if time ran out first."""
        ends_s = _now_s() + timeout_s
        delivered = [lane.flush(max(0.0, ends_s - _now_s())) for lane in self._later]
        return all(delivered)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Deliver what waits, at most for `timeout_s`, then end; returns whether all was tried.

        What a destination that hangs still has then counts as failed.
        """
        in_time = self.flush(timeout_s)
        for lane in self._later:
            lane.stop()
        ends_s = _now_s() + _END_S
        for lane in self._later:
            lane.join(max(0.0, ends_s - _now_s()))
        return in_time

    @property
    def sent(self) -> int:
        """Notices that were delivered, by destination: one that went to two counts twice."""
        return self.counts()["sent"]

    @property
    def failed(self) -> int:
        """Notices that were given up."""
        return self.counts()["failed"]

    @property
    def retried(self) -> int:
        """Tries that were repetitions."""
        return self.counts()["retried"]

    @property
    def dropped(self) -> int:
        """Notices that found no room, or came after the end."""
        return self.counts()["dropped"]

    def counts(self) -> dict[str, int]:
        """Return all four by name."""
        lanes = (*self._at_once, *self._later)
        names = ("sent", "failed", "retried", "dropped")
        return {name: sum(lane.counts[name] for lane in lanes) for name in names}

    def metrics(self) -> Iterable[Metric]:
        """Yield what became of the notices."""
        for outcome, count in self.counts().items():
            yield Metric(
                name="alert_deliveries",
                kind="counter",
                value=count,
                help="Deliveries of notices, by what became of them.",
                labels={"outcome": outcome},
            )


def _now_s() -> float:
    return time.perf_counter()  # a real time-out: a destination's thread waits for real
