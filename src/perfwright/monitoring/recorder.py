"""The hot half of the monitor: starts and finishes spans, and counts the finished ones in batches.

What a finished span means (its histogram, whether it is kept, who is told) is worked out for many
spans together: a span's own path only appends it to a list.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextvars import Token
from itertools import count
from math import inf
from typing import Any
from weakref import WeakSet

from perfwright.core.clock import Clock, SystemClock
from perfwright.monitoring import _collections, checks
from perfwright.monitoring._collections import RUNNING, is_collecting
from perfwright.monitoring._handlers import is_of_handler
from perfwright.monitoring._turns import LOCK, is_mine, offer
from perfwright.monitoring.operations import Operations
from perfwright.monitoring.sampling import HeadSampling
from perfwright.monitoring.spans import (
    ALONE,
    CURRENT,
    OFF,
    UNFINISHED,
    Span,
    SpanContext,
    SpanKind,
    Stale,
    alive,
    around_of,
    shed,
)
from perfwright.monitoring.store import SpanStore
from perfwright.monitoring.tags import plain_tags
from perfwright.monitoring.tally import Tally

MAX_DEPTH = 1000
"""Spans around a span. A deeper one begins a new trace, as spans that nobody finishes pile up."""
BATCH = 256
"""Finished spans that wait to be counted together, which costs a quarter of one by one."""
MOST_WAITING = 512
"""Finished spans from which on a thread waits for the one that counts, and adds no more. Sixteen
busy threads take as long with 256 as with 1,024; one thread alone never has more than `BATCH`."""
_new = Span.__new__
_around, _enter, _leave = CURRENT.get, CURRENT.set, CURRENT.reset
_recorders: WeakSet[SpanRecorder] = WeakSet()
Listener = Callable[[Span], None]


class SpanRecorder:
    """Makes spans and counts them; `PerformanceMonitor` adds everything that reads."""

    def __init__(
        self,
        *,
        slow_threshold: float,
        histogram_window: int,
        enabled: bool,
        sample_ratio: float,
        max_spans: int,
        max_spans_per_trace: int,
        max_operations: int,
        resource: Mapping[str, Any] | None,
        clock: Clock | None,
        rng: random.Random | None,
    ) -> None:
        self._slow_s = checks.number(slow_threshold, field="slow_threshold", low=0.0)
        self.enabled = bool(enabled)
        self.resource: Mapping[str, Any] = plain_tags(resource or {})
        checks.has(clock, field="clock", methods=("now", "today"), example="SystemClock()")
        checks.has(rng, field="rng", methods=("getrandbits", "seed"), example="random.Random()")
        self._clock = clock if clock is not None else SystemClock()
        # SystemClock.now is a Python function around this one: 35 ns more, twice for each span.
        exact = type(self._clock) is SystemClock
        self._now: Callable[[], float] = time.perf_counter if exact else self._clock.now
        ratio = checks.number(sample_ratio, field="sample_ratio", low=0.0, high=1.0)
        self._sampling, self._keeps_all = HeadSampling(ratio), ratio >= 1.0
        operations = Operations(
            window=checks.whole(histogram_window, field="histogram_window", low=1),
            max_operations=checks.whole(max_operations, field="max_operations", low=1),
            since_s=self._now(),
            resource=self.resource,
        )
        checks.whole(max_spans, field="max_spans", low=4)
        checks.whole(max_spans_per_trace, field="max_spans_per_trace", low=1)
        store = SpanStore(max_spans, max_spans_per_trace=max_spans_per_trace)
        self._tally = Tally(operations, store, slow_s=self._slow_s, resource=self.resource)
        self._pending: list[Span] = []
        self._batch, self._has_future = BATCH, False
        self._listeners: tuple[Listener, ...] = ()
        self._misuse: Counter[str] = Counter()  # what was counted with the lock
        self._misuses: dict[str, count[int]] = {}  # without: a count needs none
        self._untold: deque[Span] = deque(maxlen=MOST_WAITING)
        self._late: deque[Callable[[], None]] = deque()
        self._ingested = self._started_before = 0
        self._rng = rng if rng is not None else random.Random()
        self._lock, self._folding = LOCK, False
        self._renew()
        _collections.watch()
        _recorders.add(self)

    def _renew(self) -> None:
        """Make what a forked child must not share with its parent."""
        self._bits = self._rng.getrandbits
        # A count needs no lock, costs 20 ns where a random number costs 40, and tells how many
        # spans were started. It starts at random, so that processes do not share numbers.
        self._first_id = self._bits(62) + 1
        self._ids = count(self._first_id)

    def after_fork(self) -> None:
        """Go on in a forked child: with the parent's numbers, but with identifiers of its own."""
        self._started_before = self._started()
        self._rng.seed(f"{self._bits(128)} {os.getpid()}")
        self._renew()
        if not is_mine():  # by a signal handler in the midst of it, else by a thread that is gone
            self._folding = False
        for queue in self._tally.queues:
            queue.reset()
        self._fold()
        for queue in self._tally.queues:
            queue.reset()  # what was pending is the parent's to deliver
            queue.start()

    @property
    def slow_threshold(self) -> float:
        """Seconds from which on an operation is slow."""
        return self._slow_s

    # --- Spans ------------------------------------------------------------------------------------

    def start_trace(  # noqa: PLR0917 - keyword-only parameters would cost 60 ns
        self,
        name: str,
        parent: Span | SpanContext | None = None,
        kind: SpanKind = "internal",
        tags: Mapping[str, Any] | None = None,
    ) -> Span:
        """Start an operation and make it the current one of this task or thread.

        Args:
            name: The operation: few different ones, so `GET /users/{id}`, not `GET /users/17`.
            parent: What it is a part of; by default the current span, if there is one.
            kind: Its role in the conversation of processes.
            tags: Facts that are known already.

        Raises:
            TypeError: If an argument is not of its kind.
            ConfigError: If `kind` is unknown.
        """
        # Written out instead of split into functions: each call would cost 40 ns of about 500.
        if not self.enabled:
            return OFF
        if RUNNING and is_collecting():
            return self._start_collected(name, parent, kind=kind, tags=tags)
        if parent is None:
            around = parent = _around()
            if parent is not None and (
                type(parent._token) is not Token or parent.end_s is not UNFINISHED
            ):
                if parent is OFF:
                    return OFF
                around = parent = shed(parent)
        else:
            around = _around()
            if type(parent) is not Span:
                parent = checks.parent(parent)
        if type(name) is not str or kind != "internal":
            checks.span_name(name, kind=kind)
        if tags is not None:
            tags = plain_tags(tags)
        if parent is not None and parent._depth >= MAX_DEPTH:
            self.count_misuse("too_deep")
            _enter(None)  # lets go of the spans around it, which nobody seems to finish
            around = parent = None
        span = _new(Span)
        span.name = name
        span.kind = kind
        if parent is None:
            bits = self._bits  # a name of its own: calling an attribute of `self` costs 15 ns more
            trace_id = span.trace_id = bits(128) or 1
            span.parent_id = span._depth = 0
            span.kept = self._keeps_all or self._sampling.keeps(trace_id)
            span.trace_state = ""
        else:
            span.trace_id = parent.trace_id
            span.parent_id = parent.span_id
            span._depth = parent._depth + 1
            span.kept = parent.kept
            span.trace_state = parent.trace_state
        span.span_id = next(self._ids)
        span.tags = tags
        span.logs = span.error = None
        span.resource = self.resource
        span._owner = self
        span.end_s = UNFINISHED
        # An exception of a signal handler, or another one's spans, can come right after any call.
        # So it is complete before it becomes current, then marked as not to be relied on yet, and
        # after that there is no call any more.
        span._token = ALONE if around is None else around
        now = self._now
        span.start_s = now()
        token = _enter(span)
        span._token = token
        return span

    def _start_collected(
        self,
        name: str,
        parent: Span | SpanContext | None,
        *,
        kind: SpanKind,
        tags: Mapping[str, Any] | None,
    ) -> Span:
        """Start a span of a finalizer, which is not current: see `_collections`."""
        if parent is not None and type(parent) is not Span:
            parent = checks.parent(parent)
        checks.span_name(name, kind=kind)
        trace_id = parent.trace_id if parent is not None else self._bits(128) or 1
        span = Span(
            name,
            kind=kind,
            trace_id=trace_id,
            span_id=next(self._ids),
            parent_id=parent.span_id if parent is not None else 0,
            start_s=self._now(),
            tags=plain_tags(tags) if tags is not None else None,
            kept=parent.kept if parent is not None else self._sampling.keeps(trace_id),
            resource=self.resource,
            trace_state=parent.trace_state if parent is not None else "",
        )
        span._owner = self
        return span

    span = start_trace
    """The same, for a `with` block: its end finishes the span, as failed if an exception leaves it.
    A function around `start_trace` would cost 100 ns. As there, the operation starts at the call.
    """

    def finish_trace(self, span: Span, error: BaseException | str | None = None) -> None:
        """End an operation; what was current before it is current again.

        A span that has ended stays as it is. That, and an end in another task or thread than the
        start, or before the end of a span inside, does no harm: `get_stats()["misuse"]` counts it.

        Args:
            span: What `start_trace` returned.
            error: What it failed with, if it did.

        Raises:
            TypeError: If an argument is not of its kind.
        """
        if span is OFF:
            return
        now = self._now
        end_s = now()
        try:
            if span._owner is not self:
                checks.owner(span).finish_trace(span, error=error)
                return
        except AttributeError:
            raise TypeError(f"finish_trace needs a span, not {type(span).__name__}") from None
        if error is not None:
            checks.error(error)
        # No call between look and store: so no other thread can finish the span in between.
        # The first look is for speed: comparing what is not a number costs 15 ns.
        if span.end_s is not UNFINISHED and span.finished:
            self.count_misuse("finished_twice")
            return
        span.end_s = end_s
        try:
            if error is not None:
                span._fail(error)
            if not (RUNNING and is_collecting()) and _around() is span:
                try:
                    _leave(span._token)  # type: ignore[arg-type]  # an open span has its token
                    span._token = None
                except ValueError:
                    if _around() is not span:
                        raise  # of a signal handler, right after it was left
                    self._left_elsewhere(span)
            else:
                self._left_elsewhere(span)
        finally:  # whatever a signal handler raises in between, a span that has ended is counted
            pending = self._pending
            pending.append(span)
        if len(pending) >= self._batch:
            self._fold_some(span)

    def _left_elsewhere(self, span: Span) -> None:
        """Put in order what is current after the end of a span that was not, or is so in a copy.

        Either a span inside was not finished, and is given up with this one; or this is another
        context than the start's, where the span is still current: it is marked for that one. So it
        is in a finalizer, where the context is not to be touched: see `_collections`.
        """
        if span._token is None:
            return  # it was detached
        self.count_misuse("finished_out_of_place")
        around = around_of(span)
        if RUNNING and is_collecting():
            span._token = Stale(around)
            return
        if around is not None:
            around = alive(around)
        inner = CURRENT.get()
        copied = inner is span
        while inner is not None and inner is not span:
            inner = around_of(inner)
        if inner is span:
            CURRENT.set(around)
        span._token = None if inner is span and not copied else Stale(around)

    def count_misuse(self, what: str) -> None:
        """Count a call that made no sense, or a detail of a span that found no room."""
        counted = self._misuses.get(what)
        if counted is None:
            counted = self._misuses.setdefault(what, count())
        next(counted)

    def misuse(self) -> Counter[str]:
        """Return what `count_misuse` counted."""
        return self._misuse + Counter(
            {what: _value(counted) for what, counted in list(self._misuses.items())}
        )

    def now(self) -> float:
        """Return the seconds of the monitor's clock."""
        return self._now()

    # --- What finished ----------------------------------------------------------------------------

    def ingest(self, span: Span, *, own: bool = False) -> None:
        """Take a span that has ended elsewhere, with times of this monitor's clock.

        Args:
            span: Made with its constructor. Tail sampling decides on it as on others.
            own: Whether it describes this process, so that it is exported as well.

        Raises:
            TypeError: If `span` is none.
            ConfigError: If it has not ended, ends before it starts, or has no identifiers.
        """
        if type(span) is not Span:
            raise TypeError(f"ingest needs a span, not {type(span).__name__}")
        checks.ended(span)
        span.bound()
        if own:
            span.resource = self.resource
        with self._lock:
            self._ingested += 1
            self._has_future = self._has_future or span.end_s > self._now()
            self._pending.append(span)
        if len(self._pending) >= self._batch:
            self._fold_some(span)

    def settle(self) -> None:
        """Count all spans that have finished so far; every method that reads does this first."""
        if is_mine():  # a signal handler or finalizer in the midst of it
            return
        with self._lock:
            self._fold()

    def _fold_some(self, span: Span) -> None:
        """Do what the end of `span` makes due: tell who listens, count what is pending."""
        if self._listeners:
            self._tell(span)
        if len(self._pending) >= BATCH:
            offer(self._fold, is_full=self._is_full)

    def _is_full(self) -> bool:
        return len(self._pending) >= MOST_WAITING

    def _fold(self) -> None:
        if self._folding:  # by a signal handler or finalizer, in the midst of the same
            return
        try:
            self._folding = True
            # Clocks differ: an end elsewhere in the future must not end the counting of now.
            latest_s, self._has_future = self._now() if self._has_future else inf, False
            if spoiled := self._tally.take(self._pending, latest_s=latest_s):
                self._misuse["spoiled"] += spoiled
            while self._late:
                self._late.popleft()()
        finally:
            self._folding = False

    def _tell(self, span: Span) -> None:
        if RUNNING and is_collecting():  # later, as a listener is to run with `OFF` around it
            self._untold.append(span)
            return
        spans = [span]
        while self._untold:
            spans.insert(-1, self._untold.popleft())
        for each in spans:
            self._tell_one(each)

    def _tell_one(self, span: Span) -> None:
        token = _enter(OFF)  # a listener that makes spans would be told of them for ever
        try:
            for listener in self._listeners:
                try:
                    listener(span)
                except (KeyboardInterrupt, SystemExit):
                    raise
                except BaseException as error:  # not the fault of the code that was measured
                    if is_of_handler(error):
                        raise
                    self.count_misuse("listener_failed")
        finally:
            _leave(token)

    def _started(self) -> int:
        """Return how many spans were started."""
        return self._started_before + _value(self._ids) - self._first_id


def _value(counted: count[int]) -> int:
    """Return the next number, by the only look that does not take it."""
    return int(repr(counted)[6:-1])


def _after_fork() -> None:
    for recorder in list(_recorders):
        recorder.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
