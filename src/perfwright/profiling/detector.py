"""Tells when an operation takes more time or memory than it may, and remembers it."""

from __future__ import annotations

import math
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from perfwright.core import Clock, ConfigError, SystemClock, is_number
from perfwright.monitoring.forks import renew_after_fork
from perfwright.monitoring.metrics import Metric

if TYPE_CHECKING:
    from perfwright.monitoring.alerts.courier import Courier
    from perfwright.monitoring.alerts.delivery import Deliver
    from perfwright.monitoring.spans import Span

Resource = Literal["time", "memory"]
MIB = 1024 * 1024

_MOST = sys.float_info.max
_MOST_TOLD = 10_000
"""Operations whose last notice is remembered; with more, the oldest may be told of again."""


class BottleneckAlert(str):
    """One observation beyond its threshold; as a text, what a person is told."""

    __slots__ = ("at", "operation", "resource", "threshold", "value")

    resource: Resource
    operation: str
    value: float
    """Seconds or bytes."""
    threshold: float
    """In the same unit."""
    at: datetime

    def __new__(
        cls, *, resource: Resource, operation: str, value: float, threshold: float, at: datetime
    ) -> BottleneckAlert:
        """Make the text from the facts: one line, whatever another process calls its operations."""
        from perfwright.monitoring.alerts.notices import printable

        if resource == "time":
            saw = f"took {_decimals(value)}s (threshold: {float(threshold)}s)"
        else:
            saw = f"used {_decimals(value / MIB)}MB (threshold: {round(threshold / MIB, 3)}MB)"
        alert = super().__new__(cls, f"{resource.title()} bottleneck: {printable(operation)} {saw}")
        alert.resource, alert.operation, alert.at = resource, operation, at
        alert.value, alert.threshold = value, threshold
        return alert

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as the facts: a text alone would lose them."""
        return _restored, (self.resource, self.operation, self.value, self.threshold, self.at)

    @property
    def ratio(self) -> float:
        """The value as a multiple of its threshold; infinite for a threshold of 0."""
        return self.value / self.threshold if self.threshold else math.inf


def _restored(*facts: object) -> BottleneckAlert:
    names = ("resource", "operation", "value", "threshold", "at")
    return BottleneckAlert(**dict(zip(names, facts, strict=True)))  # type: ignore[arg-type]  # from __reduce__


def _decimals(value: float) -> str:
    """Two decimals, or three digits where these would show nothing."""
    return f"{value:.2f}" if value >= 0.1 or value == 0.0 else f"{value:.3g}"


class Monitor(Protocol):
    """What the detector asks of a PerformanceMonitor."""

    def add_listener(self, listener: Callable[[Span], None]) -> Callable[[], None]:
        """Call `listener` with every finished span; returns what ends that."""


class BottleneckDetector:
    """Compares what operations took with what they may take.

    Every observation beyond its threshold is returned, counted and kept in the history. It is also
    delivered, but at most once in `cooldown_s` for each operation, so that an operation that is
    slow a thousand times a second does not send a thousand messages.

    Args:
        time_threshold: Seconds; what takes longer is a bottleneck.
        memory_threshold: Bytes, likewise.
        time_thresholds: Seconds for single operations, in place of `time_threshold`.
        memory_thresholds: Bytes for single operations.
        history: How many of the latest alerts to keep.
        deliver: Where alerts go: None is the log `perfwright.alerts` at level WARNING; else an
            apprise URL, a function that takes a `Notice`, a `Courier`, or a list of these. All but
            the log are called in a thread of their own.
        cooldown_s: Shortest time between two deliveries for one operation; 0 delivers all.
        clock: Dates the alerts and times the cooldown.

    Raises:
        ConfigError: If a setting is out of its range.
        MissingExtraError: If `deliver` has a URL and apprise is not installed.
    """

    def __init__(
        self,
        time_threshold: float = 1.0,
        memory_threshold: float = 100 * MIB,
        *,
        time_thresholds: Mapping[str, float] | None = None,
        memory_thresholds: Mapping[str, float] | None = None,
        history: int = 1000,
        deliver: Deliver | Courier | Sequence[Deliver] = None,
        cooldown_s: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        limits = {
            "time": (time_threshold, dict(time_thresholds or {})),
            "memory": (memory_threshold, dict(memory_thresholds or {})),
        }
        for name, (general, single) in limits.items():
            for value in (general, *single.values()):
                _require(f"{name}_threshold", value)
        _require("cooldown_s", cooldown_s)
        if type(history) is not int or history < 1:
            problem = "must be a whole number of at least 1"
            raise ConfigError(field="history", value=history, problem=problem)
        self._limits: Mapping[str, tuple[float, Mapping[str, float]]] = limits
        self._history: deque[BottleneckAlert] = deque(maxlen=history)
        self._counts: dict[Resource, int] = {"time": 0, "memory": 0}
        self._told: dict[tuple[Resource, str], float] = {}
        self._cooldown_s = cooldown_s
        self._clock = clock if clock is not None else SystemClock()
        self._deliver = deliver
        self._courier: Courier | None = None
        if deliver is not None:
            self._open_courier()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Go on in a forked child, with the history so far."""
        self._lock = threading.Lock()

    def detect_time_bottleneck(self, operation: str, seconds: float) -> BottleneckAlert | None:
        """Judge how long an operation took.

        Returns:
            The alert, whose text is such as "Time bottleneck: analyze_code took 2.50s (threshold:
            1.0s)", or None.

        Raises:
            TypeError: If the operation is no text or `seconds` no number.
            ValueError: If `seconds` is negative or not finite.
        """
        return self._detect("time", operation, value=seconds)

    def detect_memory_bottleneck(self, operation: str, size_bytes: float) -> BottleneckAlert | None:
        """Judge how many bytes an operation took; otherwise as `detect_time_bottleneck`."""
        return self._detect("memory", operation, value=size_bytes)

    def get_bottlenecks(
        self, *, resource: Resource | None = None, operation: str | None = None
    ) -> list[BottleneckAlert]:
        """Return the alerts in the history, oldest first, of one resource or operation if named."""
        with self._lock:
            kept = list(self._history)
        return [
            alert
            for alert in kept
            if resource in (None, alert.resource) and operation in (None, alert.operation)
        ]

    def clear(self) -> None:
        """Forget the history; the counts of `metrics` go on."""
        with self._lock:
            self._history.clear()
            self._told.clear()

    def watch(self, monitor: Monitor) -> Callable[[], None]:
        """Judge the time of every span that `monitor` finishes; returns what ends that.

        A span whose tag `memory_bytes` is a number is judged by that too.
        """
        return monitor.add_listener(self.observe)

    def observe(self, span: Span) -> None:
        """Judge one finished span."""
        seconds = span.seconds
        if seconds > self._threshold("time", span.name):
            self.detect_time_bottleneck(span.name, seconds)
        size_bytes = span.tags.get("memory_bytes") if span.tags else None
        if is_number(size_bytes) and 0 <= size_bytes <= _MOST:  # type: ignore[operator]  # a number
            self.detect_memory_bottleneck(span.name, size_bytes)  # type: ignore[arg-type]  # likewise

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all alerts are delivered or given up; False if time ran out first."""
        return self._courier is None or self._courier.flush(timeout_s)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Deliver what waits and end the thread that delivers; whether all was tried in time."""
        return self._courier is None or self._courier.close(timeout_s)

    def metrics(self) -> Iterable[Metric]:
        """Yield how many bottlenecks there were."""
        for resource, count in self._counts.items():
            yield Metric(
                name="bottlenecks",
                kind="counter",
                value=count,
                help="Observations beyond their threshold.",
                labels={"resource": resource},
            )

    def _threshold(self, resource: Resource, operation: str) -> float:
        general, single = self._limits[resource]
        return single.get(operation, general)

    def _detect(
        self, resource: Resource, operation: str, *, value: float
    ) -> BottleneckAlert | None:
        if not isinstance(operation, str):
            raise TypeError(f"the operation must be a text, not {type(operation).__name__}")
        if not is_number(value):
            raise TypeError(f"the {resource} must be a number, not {type(value).__name__}")
        if not 0.0 <= value <= _MOST:
            shown = f"not {value}" if value < 0 else "and a number of usual size"
            raise ValueError(f"the {resource} must be finite and not negative, {shown}")
        threshold = self._threshold(resource, operation)
        if value <= threshold:
            return None
        alert = BottleneckAlert(
            resource=resource,
            operation=operation,
            value=value,
            threshold=threshold,
            at=self._clock.today(),
        )
        if self._keep(alert):
            self._tell(alert)
        return alert

    def _keep(self, alert: BottleneckAlert) -> bool:
        """Book an alert; returns whether it is to be delivered."""
        now_s, key = self._clock.now(), (alert.resource, alert.operation)
        with self._lock:
            self._history.append(alert)
            self._counts[alert.resource] += 1
            last_s = self._told.get(key)
            if last_s is not None and now_s - last_s < self._cooldown_s:
                return False
            self._told.pop(key, None)
            if len(self._told) >= _MOST_TOLD:
                del self._told[next(iter(self._told))]
            self._told[key] = now_s
            return True

    def _tell(self, alert: BottleneckAlert) -> None:
        from perfwright.monitoring.alerts.notices import Notice

        title, _, body = alert.partition(": ")
        courier = self._courier if self._courier is not None else self._open_courier()
        courier.put(Notice(title=title, body=body, severity="warning", resolved=False))

    def _open_courier(self) -> Courier:
        """Make the courier late: most detectors of the log never need one."""
        from perfwright.monitoring.alerts.courier import Courier

        given = self._deliver
        self._courier = given if isinstance(given, Courier) else Courier(given)
        return self._courier


def _require(field: str, value: object) -> None:
    if not is_number(value) or not value >= 0.0:  # type: ignore[operator]  # a number
        raise ConfigError(field=field, value=value, problem="must be a number of at least 0")
