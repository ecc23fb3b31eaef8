"""Looks at what happened by rules, and tells of what is wrong, once."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from perfwright.core import Clock, ConfigError, SystemClock, is_number
from perfwright.monitoring.alerts.condition import Condition, Event
from perfwright.monitoring.alerts.courier import Courier
from perfwright.monitoring.alerts.grouping import GROUPS, Group, notices
from perfwright.monitoring.alerts.notices import Alert, Notice
from perfwright.monitoring.alerts.rule import Observation, Rule, Watch, require
from perfwright.monitoring.forks import renew_after_fork
from perfwright.monitoring.metrics import Metric

if TYPE_CHECKING:
    from perfwright.monitoring.alerts.delivery import Deliver
    from perfwright.monitoring.spans import Span

_log = logging.getLogger("perfwright.alerts")
_LONGEST_S = 1e30


class Monitor(Protocol):
    """What alerts ask of a PerformanceMonitor."""

    @property
    def now(self) -> Callable[[], float]:
        """What reads its clock, in seconds."""

    def add_listener(self, listener: Callable[[Span], None]) -> Callable[[], None]:
        """Call `listener` with every finished span; returns what ends that."""


class _Watched:
    """One rule for one operation."""

    __slots__ = ("add", "condition", "lock", "operation", "rule", "watch")

    def __init__(self, rule: Rule, operation: str, *, now_s: float) -> None:
        self.rule, self.operation = rule, operation
        self.watch: Watch = rule.watch(now_s=now_s)
        self.add = self.watch.add
        self.condition = Condition(rule, operation)
        self.lock = threading.Lock()


class Alerts:
    """Evaluates rules over the operations of a monitor, and delivers what they find.

    Each rule and operation has one alert: pending while its condition holds for less than `for_s`,
    firing after that, resolved when it holds no longer. Firing and resolving are told once.

    Args:
        monitor: Whose finished spans to watch; without one, hand them to `observe` or `note`.
        rules: More can be added with `add`.
        deliver: Where notices go: None is the log `perfwright.alerts`; else an apprise URL, a
            function that takes a `Notice`, a `Courier`, or a list of these. All but the log are
            called in a thread of their own; `flush` waits for it.
        clock: By default that of the monitor.
        every_s: How often `start` and `run` evaluate.
        group: What comes at one evaluation is one notice per `rule`, for `all`, or for `each`.
        max_operations: Names to watch; others are counted in `get_stats()["unwatched"]`.
        history: How many of the latest alerts that were told to keep.

    Raises:
        ConfigError: If a setting is out of its range, or two rules have one name.
        MissingExtraError: If `deliver` has a URL and apprise is not installed.
    """

    def __init__(
        self,
        monitor: Monitor | None = None,
        *,
        rules: Iterable[Rule] = (),
        deliver: Deliver | Courier | Sequence[Deliver] = None,
        clock: Clock | None = None,
        every_s: float = 10.0,
        group: Group = "rule",
        max_operations: int = 1000,
        history: int = 1000,
    ) -> None:
        require("every_s", every_s, least=1e-3)
        for field, value in (("max_operations", max_operations), ("history", history)):
            if type(value) is not int or value < 1:
                problem = "must be a whole number of at least 1"
                raise ConfigError(field=field, value=value, problem=problem)
        if group not in GROUPS:
            raise ConfigError(field="group", value=group, problem=f"must be one of {GROUPS}")
        self._clock = clock if clock is not None else SystemClock()
        self._now = self._clock.now if clock is not None or monitor is None else monitor.now
        self._every_s, self._group, self._max_operations = every_s, group, max_operations
        self._courier = deliver if isinstance(deliver, Courier) else Courier(deliver)
        self._rules: tuple[Rule, ...] = ()
        self._expected: list[_Watched] = []
        self._watched: dict[str, tuple[_Watched, ...]] = {}
        self._history: deque[tuple[Event, Alert]] = deque(maxlen=history)
        self._unwatched = self._refused = self._evaluations = self._failures = 0
        self._closed = False
        self.after_fork()
        renew_after_fork(self)
        for rule in rules:
            self.add(rule)
        self._leave: Callable[[], None] | None = None
        if monitor is not None:
            self._leave = monitor.add_listener(self.observe)

    def after_fork(self) -> None:
        """Go on in a forked child, with what was seen so far; the thread of `start` is not there.

        A child that evaluates as well tells its parent's alerts a second time.
        """
        self._lock = threading.RLock()
        self._looking = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        for watched in self._everything():
            watched.lock = threading.Lock()

    # --- What happens -----------------------------------------------------------------------------

    def add(self, rule: Rule) -> None:
        """Watch by one more rule from now on.

        Raises:
            ConfigError: If another rule has its name.
            TypeError: If it is no rule.
        """
        if not isinstance(rule, Rule):
            raise TypeError(f"a rule is needed, not {type(rule).__name__}")
        with self._lock:
            if any(rule.name == known.name for known in self._rules):
                problem = "another rule has this name"
                raise ConfigError(field="name", value=rule.name, problem=problem)
            self._rules = (*self._rules, rule)
            if rule.expected is not None:
                self._expected.append(_Watched(rule, rule.expected, now_s=self._now()))
            known = dict(self._watched)
            for operation, watched in known.items():
                self._watched[operation] = (*watched, *self._watches(operation, rules=(rule,)))

    def observe(self, span: Span) -> None:
        """Take note of a finished span."""
        failed = span.error is not None
        self.note(span.name, span.end_s - span.start_s, failed=failed, end_s=span.end_s)

    def note(
        self, operation: str, seconds: float, *, failed: bool = False, end_s: float | None = None
    ) -> None:
        """Take note of an operation that has ended.

        Costs about 1 us for each rule that watches the operation. What is no length of time, such
        as NaN or -1, is left out and counted in `get_stats()["refused"]`.

        Args:
            operation: Its name.
            seconds: How long it took.
            failed: Whether it failed.
            end_s: When, in seconds of the clock; by default now. The future counts as now.

        Raises:
            TypeError: If the operation is no text, or `seconds` no number.
        """
        if type(operation) is not str or not is_number(seconds):
            raise TypeError(f"a text and a number are needed, not {operation!r} and {seconds!r}")
        if not 0.0 <= seconds < _LONGEST_S:
            with self._lock:
                self._refused += 1
            return
        watches = self._watched.get(operation)
        if watches is None:
            watches = self._begin(operation)
        if not watches or self._closed:
            return
        now_s = self._now()
        at_s = now_s if end_s is None or not end_s < now_s else end_s
        for watched in watches:
            with watched.lock:
                watched.add(end_s=at_s, seconds=seconds, failed=failed)

    def _begin(self, operation: str) -> tuple[_Watched, ...]:
        with self._lock:
            if operation in self._watched:
                return self._watched[operation]
            if len(self._watched) >= self._max_operations:
                self._unwatched += 1
                return ()
            watches = self._watches(operation, rules=self._rules)
            self._watched[operation] = watches
            return watches

    def _watches(self, operation: str, *, rules: Sequence[Rule]) -> tuple[_Watched, ...]:
        expected = {watched.rule.name: watched for watched in self._expected}
        return tuple(
            expected[rule.name]
            if rule.expected == operation
            else _Watched(rule, operation, now_s=self._now())
            for rule in rules
            if rule.matches(operation)
        )

    # --- What is wrong ----------------------------------------------------------------------------

    def evaluate(self, now_s: float | None = None) -> list[Notice]:
        """Look at everything once, and hand what is new to the delivery.

        A rule that raises counts as one that knows nothing; see `get_stats()["rule_failures"]`.

        Args:
            now_s: The time, in seconds of the clock; by default now.

        Returns:
            The notices, also where they cannot be delivered.
        """
        at_s = self._now() if now_s is None else now_s
        events: list[tuple[Event, Alert]] = []
        # Not `_lock`: a new operation must not wait for the looks at all others.
        with self._looking:
            self._evaluations += 1
            for watched in self._everything():
                event = watched.condition.step(self._look(watched, at_s), now_s=at_s)
                if event is not None:
                    events.append(event)
        with self._lock:
            self._history.extend(events)
        found = notices(events, group=self._group)
        for notice in found:
            self._courier.put(notice)
        return found

    def _everything(self) -> list[_Watched]:
        """Every watch once: an expected operation is in both places from when it has come."""
        with self._lock:
            every = (*self._expected, *(one for many in self._watched.values() for one in many))
        return list(dict.fromkeys(every))

    def _look(self, watched: _Watched, now_s: float) -> Observation | None:
        try:
            with watched.lock:
                return watched.watch.look(now_s)
        except Exception:  # noqa: BLE001 - one broken rule or reading must not silence the others
            self._failures += 1
            if self._failures == 1:
                _log.exception(
                    "rule %r failed; further failures are only counted", watched.rule.name
                )
            return None

    def active(self, *, state: Literal["pending", "firing"] | None = None) -> list[Alert]:
        """Return the alerts that are pending or firing, oldest first."""
        with self._lock:
            alerts = [watched.condition.alert for watched in self._everything()]
        found = [one for one in alerts if one is not None and state in (None, one.state)]
        return sorted(found, key=lambda alert: alert.since_s)

    def history(self) -> list[tuple[Event, Alert]]:
        """Return what was told, oldest first: `fired`, `repeated` or `resolved`, and the alert."""
        with self._lock:
            return list(self._history)

    def get_stats(self) -> dict[str, Any]:
        """Count what the alerts have done."""
        with self._lock:
            every = self._everything()
            return {
                "rules": len(self._rules),
                "watches": len(every),
                "evaluations": self._evaluations,
                "rule_failures": self._failures,
                "firing": sum(one.condition.is_firing for one in every),
                "suppressed": sum(one.condition.suppressed for one in every),
                "unwatched": self._unwatched,
                "refused": self._refused,
                **self._courier.counts(),
            }

    def metrics(self) -> Iterable[Metric]:
        """Yield how many alerts fire by rule, and what became of the notices."""
        with self._lock:
            firing = dict.fromkeys((rule.name for rule in self._rules), 0)
            for watched in self._everything():
                firing[watched.rule.name] += watched.condition.is_firing
        for rule, count in firing.items():
            yield Metric(
                name="alerts_firing",
                kind="gauge",
                value=count,
                help="Alerts that fire now.",
                labels={"rule": rule},
            )
        yield from self._courier.metrics()

    # --- Running ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Evaluate every `every_s` seconds in a thread, until `stop`; starting twice is once."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            stopping = self._stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(stopping,), name="perfwright-alert-rules", daemon=True
            )
            self._thread.start()

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.wait(self._every_s):
            self.evaluate()

    def stop(self, timeout_s: float | None = None) -> bool:
        """End the thread of `start`; returns whether it ended in time: not while a `read` hangs."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    async def run(self) -> None:
        """Evaluate every `every_s` seconds in this task, until it is cancelled."""
        while True:
            await self._clock.sleep(self._every_s)
            self.evaluate()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all notices are delivered or given up; False if time ran out first."""
        return self._courier.flush(timeout_s)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Stop watching, deliver what waits, and end; returns whether all was tried in time."""
        self._closed = True
        if self._leave is not None:
            self._leave()
        ends_s = time.perf_counter() + timeout_s  # a real time-out: threads wait for real
        stopped = self.stop(timeout_s)
        return self._courier.close(max(0.0, ends_s - time.perf_counter())) and stopped

    def __enter__(self) -> Alerts:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()
