"""Stops calling what keeps failing, and finds out with few calls when it works again."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from perfwright.core import BreakerOpenError, Clock, ConfigError
from perfwright.limits._checking import check_range
from perfwright.monitoring import Metric

_SLICES = 10
"""The window forgets in tenths: old outcomes need no more memory than new ones."""


class BreakerState(StrEnum):
    """What a breaker does with a call."""

    CLOSED = "CLOSED"
    """All calls go through."""
    OPEN = "OPEN"
    """None does."""
    HALF_OPEN = "HALF_OPEN"
    """A few probes do, and their outcome decides."""


class Permit:
    """Leave to make one call; its outcome goes back with it, so that late outcomes are known."""

    __slots__ = ("since_s",)

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSnapshot:
    """A breaker at one moment."""

    state: BreakerState
    consecutive_failures: int
    successes: int
    """Since the start, as the next three."""
    failures: int
    refused: int
    times_opened: int
    retry_after_s: float
    """Until the next probe; 0 unless open."""


class CircuitBreaker:
    """CLOSED, OPEN, HALF_OPEN: a plain state machine that reads no clock and waits for nothing.

    Args:
        name: Appears in errors and metrics.
        consecutive_failures: So many failures in a row open it; None: never.
        failure_ratio: This share of failures, 0 to 1, within the window opens it; None: never.
        window_s: Seconds that `failure_ratio` looks back.
        min_calls: Outcomes in the window below which `failure_ratio` says nothing.
        open_s: Seconds until the first probe. Each probe that fails multiplies the next wait by
            `growth`, up to `max_open_s`.
        max_open_s: Longest wait in seconds, before jitter.
        growth: At least 1.
        jitter_ratio: 0 to below 1; a wait is lengthened or shortened by up to this share, so that
            many clients do not probe at the same moment.
        probes: Probes under way at a time when half-open. As many successes in a row close it.
        probe_timeout_s: A probe that has not reported for so long has lost its place.
        rng: Source of the jitter.
    """

    def __init__(
        self,
        *,
        name: str = "",
        consecutive_failures: int | None = 5,
        failure_ratio: float | None = None,
        window_s: float = 30.0,
        min_calls: int = 20,
        open_s: float = 1.0,
        max_open_s: float = 60.0,
        growth: float = 2.0,
        jitter_ratio: float = 0.1,
        probes: int = 1,
        probe_timeout_s: float = 60.0,
        rng: random.Random | None = None,
    ) -> None:
        check_range("consecutive_failures", consecutive_failures, at_least=1)
        check_range("failure_ratio", failure_ratio, above=0.0, at_most=1.0)
        if consecutive_failures is None and failure_ratio is None:
            raise ConfigError(
                field="failure_ratio",
                value=None,
                problem="this breaker would never open; give it or consecutive_failures a value",
            )
        check_range("window_s", window_s, above=0.0)
        check_range("min_calls", min_calls, at_least=1)
        check_range("open_s", open_s, above=0.0)
        check_range("max_open_s", max_open_s, at_least=open_s)
        check_range("growth", growth, at_least=1.0)
        check_range("jitter_ratio", jitter_ratio, at_least=0.0, below=1.0)
        check_range("probes", probes, at_least=1)
        check_range("probe_timeout_s", probe_timeout_s, above=0.0)
        self.name = name
        self._max_consecutive, self._max_ratio = consecutive_failures, failure_ratio
        self._window = _Window(window_s)
        self._min_calls = min_calls
        self._open_s, self._max_open_s, self._growth = open_s, max_open_s, growth
        self._jitter_ratio, self._rng = jitter_ratio, rng or random.Random()
        self._max_probes, self._probe_timeout_s = probes, probe_timeout_s

        self._state = BreakerState.CLOSED
        self._closed_permit = Permit(0.0)  # shared: only probes need to be told apart
        self._probes: set[Permit] = set()
        self._good_probes = 0
        self._wait_s = open_s
        self._open_until_s = 0.0
        self._consecutive = 0
        self._successes = self._failures = self._refused = self._times_opened = 0

    @property
    def state(self) -> BreakerState:
        """The present state; an open breaker becomes half-open with the first call it allows."""
        return self._state

    @property
    def longest_wait_s(self) -> float:
        """Seconds that it stays open at most before it lets a probe through."""
        return self._max_open_s * (1.0 + self._jitter_ratio)

    def allow(self, now_s: float) -> Permit | None:
        """Return leave for one call, or None when the call must not be made.

        Report its outcome with `record_success` or `record_failure`; a call without an outcome,
        because it was cancelled, gives its place back with `release`.
        """
        if self._state is BreakerState.CLOSED:
            return self._closed_permit
        if self._state is BreakerState.OPEN and now_s >= self._open_until_s:
            self._state = BreakerState.HALF_OPEN
            self._good_probes = 0
        if self._state is BreakerState.HALF_OPEN and self._has_room(now_s):
            probe = Permit(now_s)
            self._probes.add(probe)
            return probe
        self._refused += 1
        return None

    def record_success(self, permit: Permit, now_s: float) -> None:
        """The call worked."""
        self._successes += 1
        if permit in self._probes:
            self._probes.remove(permit)
            self._good_probes += 1
            if self._good_probes >= self._max_probes:
                self._close()
        elif permit is self._closed_permit:
            self._consecutive = 0
            self._window.add(now_s, failed=False)

    def record_failure(self, permit: Permit, now_s: float) -> None:
        """The call failed, in a way that speaks against the other side."""
        self._failures += 1
        if permit in self._probes:
            self._wait_s = min(self._wait_s * self._growth, self._max_open_s)
            self._open(now_s)
        elif permit is self._closed_permit:
            self._consecutive += 1
            self._window.add(now_s, failed=True)
            if self._too_many_failures(now_s):
                self._open(now_s)

    def release(self, permit: Permit) -> None:
        """The call was given up, which says nothing about the other side."""
        self._probes.discard(permit)

    def retry_after_s(self, now_s: float) -> float:
        """Return the seconds until the next probe; 0 unless open."""
        if self._state is not BreakerState.OPEN:
            return 0.0
        return max(0.0, self._open_until_s - now_s)

    @contextmanager
    def guard(
        self, clock: Clock, *, failures: tuple[type[Exception], ...] = (Exception,)
    ) -> Iterator[None]:
        """Make the call in the `with` block, if it may be made, and record its outcome.

        Args:
            clock: Gives the time before and after.
            failures: What speaks against the other side. Any other exception, cancellation
                too, is neither success nor failure.

        Raises:
            BreakerOpenError: If the call may not be made.
        """
        now_s = clock.now()
        permit = self.allow(now_s)
        if permit is None:
            raise BreakerOpenError(name=self.name, retry_after_s=self.retry_after_s(now_s))
        try:
            yield
        except failures:
            self.record_failure(permit, clock.now())
            raise
        except BaseException:
            self.release(permit)
            raise
        self.record_success(permit, clock.now())

    def snapshot(self, now_s: float) -> BreakerSnapshot:
        """Return the state and all counts."""
        return BreakerSnapshot(
            state=self._state,
            consecutive_failures=self._consecutive,
            successes=self._successes,
            failures=self._failures,
            refused=self._refused,
            times_opened=self._times_opened,
            retry_after_s=self.retry_after_s(now_s),
        )

    def metrics(self) -> Iterator[Metric]:
        """Yield the state, one gauge for each, and all counts."""
        labels = {"breaker": self.name}
        for state in BreakerState:
            yield Metric(
                name="breaker_state",
                kind="gauge",
                value=float(self._state is state),
                help="1 for the state that the breaker is in.",
                labels={**labels, "state": state.value},
            )
        for name, value, help_text in (
            ("successes", self._successes, "Calls that worked."),
            ("failures", self._failures, "Calls that failed."),
            ("refused", self._refused, "Calls that were not made because the breaker was open."),
            ("opened", self._times_opened, "How often the breaker has opened."),
        ):
            yield Metric(
                name=f"breaker_{name}", kind="counter", value=value, help=help_text, labels=labels
            )

    def _has_room(self, now_s: float) -> bool:
        lost_before_s = now_s - self._probe_timeout_s
        self._probes = {probe for probe in self._probes if probe.since_s > lost_before_s}
        return len(self._probes) + self._good_probes < self._max_probes

    def _too_many_failures(self, now_s: float) -> bool:
        if self._max_consecutive is not None and self._consecutive >= self._max_consecutive:
            return True
        if self._max_ratio is None:
            return False
        failed, calls = self._window.counts(now_s)
        return calls >= self._min_calls and failed >= self._max_ratio * calls

    def _open(self, now_s: float) -> None:
        jitter = 1.0 + self._jitter_ratio * self._rng.uniform(-1.0, 1.0)
        self._state = BreakerState.OPEN
        self._open_until_s = now_s + self._wait_s * jitter
        self._times_opened += 1
        self._forget_calls_under_way()

    def _close(self) -> None:
        self._state = BreakerState.CLOSED
        self._wait_s = self._open_s
        self._consecutive = 0
        self._window.clear()
        self._forget_calls_under_way()

    def _forget_calls_under_way(self) -> None:
        """What was allowed in an earlier state says nothing about this one."""
        self._closed_permit = Permit(0.0)
        self._probes = set()


class _Window:
    """Counts outcomes of the last seconds, to a tenth of the window."""

    def __init__(self, window_s: float) -> None:
        self._slice_s = window_s / _SLICES
        self._slices: deque[list[int]] = deque()  # [index, failed, calls], oldest first

    def add(self, now_s: float, *, failed: bool) -> None:
        index = int(now_s // self._slice_s)
        if not self._slices or self._slices[-1][0] < index:
            self._drop_old(index)
            self._slices.append([index, 0, 0])
        self._slices[-1][1] += failed
        self._slices[-1][2] += 1

    def counts(self, now_s: float) -> tuple[int, int]:
        """Return the failures, and all outcomes."""
        self._drop_old(int(now_s // self._slice_s))
        return sum(part[1] for part in self._slices), sum(part[2] for part in self._slices)

    def clear(self) -> None:
        self._slices.clear()

    def _drop_old(self, index: int) -> None:
        while self._slices and self._slices[0][0] <= index - _SLICES:
            self._slices.popleft()
