"""The numbers of each operation, for a bounded number of operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, Self

from perfwright.monitoring.latencies import Latencies
from perfwright.monitoring.spans import Span
from perfwright.monitoring.tags import BIG, LEAST, plain

Group = tuple[str, Sequence[Span], list[float]]
"""A name, its spans, and the seconds of each."""
OTHER = "other"
"""Counts all operations beyond the bound."""
_MANY = 32
_MANY_WAITING, _FEW_WAITING = 1024, 512
"""Records that wait in each of the first operations, and in those beyond `_MANY`: of 120 bytes."""
MAX_NAME = 200
"""Characters of a name; longer ones are cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowOperation:
    """One operation that took the slow threshold or longer."""

    operation: str
    seconds: float
    end_s: float
    """When, in seconds of the monitor's clock."""
    trace_id: int
    """Of the trace that it is a part of; 0: it was recorded outside of any."""
    error: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, span: Span) -> Self:
        """Take the facts from a span."""
        return cls(
            operation=span.name,
            seconds=span.end_s - span.start_s,
            end_s=span.end_s,
            trace_id=span.trace_id,
            error=span.error,
            tags=span.tags or {},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the facts with the trace's identifier as hexadecimal digits, empty for none."""
        facts = asdict(self)
        return facts | {"trace_id": f"{self.trace_id:032x}" if self.trace_id else ""}


class Operation:
    """One operation: how long it took, how often it was slow, how often it failed."""

    __slots__ = ("failed", "latencies", "slow")

    def __init__(self, latencies: Latencies) -> None:
        self.latencies = latencies
        self.failed = 0
        self.slow = 0

    def counts(self) -> dict[str, int]:
        """Return how often it ended, failed and was slow."""
        return {"count": self.latencies.count, "failed": self.failed, "slow": self.slow}

    def merge(self, other: Operation) -> None:
        """Count what `other` counted."""
        self.latencies.merge(other.latencies)
        self.failed += other.failed
        self.slow += other.slow


class Operations:
    """Operations by name. Not for several threads: its monitor holds a lock."""

    def __init__(self, *, window: int, max_operations: int, since_s: float = -inf) -> None:
        self._window, self._max_operations, self._since_s = window, max_operations, since_s
        self._known: dict[str, Operation] = {}
        self.overflowed = 0
        """Spans and records counted as `other`, as there were too many names."""

    def find(self, name: str, *, times: int) -> Operation:
        """Return the operation to count something in: a new one if there is room, else `other`."""
        found = self._known.get(name)
        if found is not None:
            return found
        if len(self._known) >= self._max_operations:
            self.overflowed += times
            name = OTHER
        waiting = _MANY_WAITING if len(self._known) < _MANY else _FEW_WAITING
        latencies = Latencies(self._window, since_s=self._since_s, max_waiting=waiting)
        return self._known.setdefault(name, Operation(latencies))

    def get(self, name: str) -> Operation | None:
        """Return the operation if it ever ran."""
        return self._known.get(name)

    def items(self) -> Iterator[tuple[str, Operation]]:
        """Yield all operations by name, in the order of their first end."""
        return iter(self._known.items())

    def count(
        self, groups: Iterable[Group], *, slow_s: float, latest_s: float = inf
    ) -> tuple[list[Span], list[Span]]:
        """Count finished spans; returns those that were slow and those that failed.

        Args:
            groups: What `grouped` returned.
            slow_s: From how many seconds on a span is slow.
            latest_s: What ended after this, by another clock, counts as if it had ended then.
        """
        slow: list[Span] = []
        failed: list[Span] = []
        for name, spans, seconds in groups:
            operation = self.find(name, times=len(spans))
            ends_s = [span.end_s for span in spans]
            if latest_s < inf:
                ends_s = [min(end_s, latest_s) for end_s in ends_s]
            operation.latencies.extend(seconds, [span.trace_id for span in spans], ends_s)
            if max(seconds) >= slow_s:
                late = [span for span in spans if span.end_s - span.start_s >= slow_s]
                operation.slow += len(late)
                slow += late
            broken = [span for span in spans if span.error is not None]
            if broken:
                operation.failed += len(broken)
                failed += broken
        return slow, failed

    def merge(self, other: Operations) -> None:
        """Count what `other` counted.

        Where there are too many names, the known ones stay, then those of `other` have a place in
        their order, and the rest is `other`: so which ones these are depends on who merges whom.
        """
        for name, operation in other.items():
            times = operation.latencies.count
            if name == OTHER:
                times = max(0, times - other.overflowed)  # these are added below
            self.find(name, times=times).merge(operation)
        self.overflowed += other.overflowed


def grouped(batch: Sequence[Span]) -> list[Group]:
    """Return spans by name, with their seconds.

    Raises:
        Exception: If a name is no string or a time no number, whatever that meets first.
    """
    groups: list[Group] = []
    for name, spans in _by_name(batch).items():
        seconds = [span.end_s - span.start_s for span in spans]
        if min(seconds) < 0.0:  # a clock that was set back
            seconds = [max(0.0, each) for each in seconds]
        groups.append((name, spans, seconds))
    return groups


def mended(span: Span) -> bool:
    """Make a span countable that a program set to other kinds; returns whether it was not."""
    name: object = span.name
    is_sound = isinstance(name, str) and _is_time(span.start_s) and _is_time(span.end_s)
    if not is_sound:
        span.name = str(plain([name])[0])  # in a list, so that a list becomes a text as well
        span.end_s = span.end_s if _is_time(span.end_s) else 0.0
        span.start_s = span.start_s if _is_time(span.start_s) else span.end_s
    return not is_sound


def _is_time(value: object) -> bool:
    return isinstance(value, float) or (type(value) is int and LEAST <= value < BIG)


def _by_name(batch: Sequence[Span]) -> Mapping[str, Sequence[Span]]:
    first = batch[0].name
    is_usual = type(first) is str and len(first) <= MAX_NAME
    if is_usual and [span.name for span in batch].count(first) == len(batch):
        return {first: batch}  # a third of the cost of what follows
    groups: dict[str, list[Span]] = {}
    for span in batch:
        name = span.name
        if name in groups:
            groups[name].append(span)
        else:
            if not isinstance(name, str):
                raise TypeError(f"the name of a span is a string, not {type(name).__name__}")
            if len(name) > MAX_NAME:  # a span is kept, and must not keep megabytes
                name = span.name = name[:MAX_NAME]
            groups.setdefault(name, []).append(span)
    return groups
