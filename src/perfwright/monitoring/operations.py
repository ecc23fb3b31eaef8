"""The numbers of each operation, for a bounded number of operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, NamedTuple, Self

from perfwright.monitoring.latencies import Latencies, rows_of
from perfwright.monitoring.spans import NOTHING, Span
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

    __slots__ = ("failed", "is_own", "latencies", "slow")

    def __init__(self, latencies: Latencies, *, is_own: bool = True) -> None:
        self.latencies = latencies
        self.is_own = is_own
        """Whether it ever ended in this process."""
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


class _Counted(NamedTuple):
    """What is to be counted of one operation."""

    name: str
    spans: Sequence[Span]
    rows: list[Any]
    """See `latencies.rows_of`."""
    slow: int
    failed: int


@dataclass(slots=True)
class Work:
    """What is to be counted of a batch of spans, and how far that is."""

    groups: list[_Counted]
    slow: list[Span]
    failed: list[Span]
    taken_before: int = 0
    """By the store: if that is more now, it has the batch."""


class Operations:
    """Operations by name. Not for several threads: its monitor holds a lock.

    Names that come from other processes have three quarters of the places at most. Where there is
    no place for a name, it is counted as `other`.

    Args:
        window: See `Latencies`.
        max_operations: Places.
        since_s: When counting began.
        resource: Spans that have this very one are of this process.
    """

    def __init__(
        self,
        *,
        window: int,
        max_operations: int,
        since_s: float = -inf,
        resource: Mapping[str, Any] = NOTHING,
    ) -> None:
        self._window, self._max_operations, self._since_s = window, max_operations, since_s
        self._max_foreign = max(1, max_operations - max_operations // 4)
        self._resource = resource
        self.known: dict[str, Operation] = {}
        """By name, in the order of their first end."""
        self._foreign = 0
        self._other: Operation | None = None
        self.overflowed = 0
        """Spans and records counted as `other`, as there were too many names."""

    def find(self, name: str, *, is_own: bool = True) -> Operation:
        """Return the operation to count something in: its own if it has or gets a place."""
        found = self.known.get(name)
        if found is None:
            has_place = self._has_place(is_own=is_own)
            found = self._add(name, is_own=is_own) if has_place else self._overflow()
        if is_own and not found.is_own:
            found.is_own = True
            self._foreign -= 1
        return found

    def find_one(self, name: str) -> Operation:
        """Return the operation to count one record of this process in."""
        found = self.find(name)
        self.overflowed += found is self._other and name != OTHER
        return found

    def resize(self, window: int) -> None:
        """Let all operations keep another number of the last ones."""
        self._window = window
        others = [self._other] if self._other is not None else []
        for operation in (*self.known.values(), *others):
            operation.latencies.resize(window)

    def get(self, name: str) -> Operation | None:
        """Return the operation if it has a place."""
        return self.known.get(name)

    def items(self) -> Iterator[tuple[str, Operation]]:
        """Yield all operations by name, in the order of their first end."""
        return iter(self.known.items())

    def prepared(self, groups: Iterable[Group], *, slow_s: float, latest_s: float = inf) -> Work:
        """Return what `count` is to count, without having counted any of it.

        Args:
            groups: What `grouped` returned.
            slow_s: From how many seconds on a span is slow.
            latest_s: What ended after this, by another clock, counts as if it had ended then.
        """
        work = Work([], [], [])
        for name, spans, seconds in groups:
            ends_s = [span.end_s for span in spans]
            if latest_s < inf:
                ends_s = [min(end_s, latest_s) for end_s in ends_s]
            late: list[Span] = []
            if max(seconds) >= slow_s:
                late = [span for span in spans if span.end_s - span.start_s >= slow_s]
                work.slow += late
            broken = [span for span in spans if span.error is not None]
            work.failed += broken
            rows = rows_of(seconds, [span.trace_id for span in spans], ends_s)
            work.groups.append(_Counted(name, spans, rows, len(late), len(broken)))
        work.groups.reverse()  # it is taken from the end
        return work

    def count(self, work: Work) -> None:
        """Count what is left of `work`, all of it exactly once even if it is called again."""
        while work.groups:
            name, spans, rows, slow, failed = work.groups[-1]
            operation = self.known.get(name)
            if operation is None or not operation.is_own:
                # Not `any`: what a signal handler raises in a generator that ends early is lost.
                is_own = id(self._resource) in {id(span.resource) for span in spans}
                operation = self.find(name, is_own=is_own)
            overflowed = len(spans) if operation is self._other and name != OTHER else 0
            latencies = operation.latencies
            # Python looks for signals after calls of C functions, at the start of functions and at
            # the end of a loop: there is none of these up to `del`, so a group counts as a whole.
            latencies.put(rows)
            operation.slow += slow
            operation.failed += failed
            self.overflowed += overflowed
            del work.groups[-1]
            latencies.fold_if_full_locked()

    def merge(self, other: Operations) -> None:
        """Count what `other` counted.

        Where there are too many names, the known ones stay, then those of `other` have a place in
        their order, and the rest is `other`: so which ones these are depends on who merges whom.
        """
        for name, operation in other.items():
            times = operation.latencies.count
            if name == OTHER:
                times = max(0, times - other.overflowed)  # these are added below
            found = self.known.get(name)
            if found is None:
                has_place = self._has_place(is_own=operation.is_own)
                found = self._add(name, is_own=operation.is_own) if has_place else self._overflow()
                self.overflowed += 0 if has_place else times
            found.merge(operation)
        self.overflowed += other.overflowed

    def _has_place(self, *, is_own: bool) -> bool:
        taken = len(self.known) - (self._other is not None)
        return taken < self._max_operations and (is_own or self._foreign < self._max_foreign)

    def _add(self, name: str, *, is_own: bool) -> Operation:
        waiting = _MANY_WAITING if len(self.known) < _MANY else _FEW_WAITING
        latencies = Latencies(self._window, since_s=self._since_s, max_waiting=waiting)
        self._foreign += not is_own
        added = self.known[name] = Operation(latencies, is_own=is_own)
        return added

    def _overflow(self) -> Operation:
        if self._other is None:
            self._other = self.known.get(OTHER) or self._add(OTHER, is_own=True)
        return self._other


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
