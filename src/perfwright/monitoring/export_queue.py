"""Hands finished spans to an exporter from a thread of its own, counting what it cannot take."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol

from perfwright.monitoring.spans import CURRENT, OFF, Span
from perfwright.monitoring.store import LARGE_BYTES, bytes_of, is_large
from perfwright.monitoring.tags import Large

_MAX_SPANS_PER_CALL = 512
_EXIT_S = 5.0
"""How long the end of the program waits, for all exporters of all monitors together."""
_FLUSH_SHARE = 0.9
"""Of what is left of the time to close; the rest is for the exporter's own `close`."""


class SpanExporter(Protocol):
    """Where finished spans go: called from one thread, a batch at a time.

    It may also have `flush(timeout_s)` and `close(timeout_s)`: the monitor's own have that thread
    call them, with what is left of their time.
    """

    def export(self, spans: Sequence[Span], /) -> None:
        """Take up to 512 spans; what it raises is counted, and the batch is lost."""


class ExportQueue:
    """A bounded queue with one consumer thread.

    That thread makes all calls of the exporter. So one that hangs holds up nothing but its thread:
    who flushes or closes leaves a request for it, and waits only as long as was said.

    Args:
        exporter: Who gets the spans.
        refill: Called before each delivery; makes the monitor hand over what it holds back.
        max_spans: Waiting at most; new ones are dropped beyond that, and large ones beyond
            `LARGE_BYTES` for each of these.
        interval_s: Longest time that a span waits while the exporter is free.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        refill: Callable[[], None],
        max_spans: int,
        interval_s: float,
    ) -> None:
        self.exporter = exporter
        self.exported = self.dropped = self.failed = 0
        self.last_error = ""
        self._refill, self._max_spans, self._interval_s = refill, max_spans, interval_s
        self._max_bytes = max_spans * LARGE_BYTES
        self._closing = False
        self.reset()

    def reset(self) -> None:
        """Forget all waiting spans; in a forked child they are the parent's to deliver."""
        self._waiting: list[Span] = []
        self._large: dict[int, int] = {}  # bytes of the large ones of these, by `id`
        self._bytes = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._exporting = 0  # spans in the hands of the exporter
        self._hurry = self._gave_up = False
        self._closed = self._closing  # a child does not open again what its parent closed
        self._asked = self._answered = 0  # flushes
        self._deadline_s = 0.0
        self._all_went = True  # at the last flush, or at the close

    def counts(self) -> dict[str, int | str]:
        """Return what became of the spans, and the last failure."""
        with self._changed:
            return {
                "exporter": type(self.exporter).__name__,
                "waiting": len(self._waiting) + self._exporting,
                "exported": self.exported,
                "dropped": self.dropped,
                "failed": self.failed,
                "last_error": self.last_error,
            }

    def __len__(self) -> int:
        return len(self._waiting) + self._exporting

    def start(self) -> None:
        """Start the thread, so that what the monitor holds back is asked for."""
        with self._changed:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(
                    target=self._run, name="perfwright-export", daemon=True
                )
                self._thread.start()
                _running.add(self)
        # Anew each time, so that it comes before what exporters made until now do at the exit.
        atexit.unregister(_close_at_exit)
        atexit.register(_close_at_exit)

    def put(self, spans: Sequence[Span]) -> None:
        """Queue `spans` as far as there is room; never waits."""
        with self._changed:
            room = 0 if self._closed else self._max_spans - len(self._waiting)
            taken = self._fitting(spans[:room])
            self._waiting += taken
            self.dropped += len(spans) - len(taken)
            if len(self._waiting) >= _MAX_SPANS_PER_CALL:
                self._hurry = True
                self._changed.notify_all()

    def _fitting(self, spans: Sequence[Span]) -> Sequence[Span]:
        """Return those for whose bytes there is room, which is so for at least one."""
        # Written out, as `is_large` would cost 40 ns more for each.
        if not [1 for span in spans if type(span.tags) is Large or span.logs is not None]:
            return spans
        fitting: list[Span] = []
        for span in spans:
            size = bytes_of(span) if is_large(span) else 0
            if not size or not self._bytes or self._bytes + size <= self._max_bytes:
                fitting.append(span)
                self._large[id(span)] = size
                self._bytes += size
        return fitting

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that waits now was handed over; returns whether it was."""
        return flush_all([self], timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Deliver what waits, take nothing more and end the thread."""
        return close_all([self], timeout_s)

    # --- In the thread of who asks ----------------------------------------------------------------

    def ask(self, *, deadline_s: float, close: bool = False) -> int:
        """Have everything delivered, and then the exporter closed; returns the request's number."""
        with self._changed:
            if threading.current_thread() is not self._thread:  # which does not wait for an answer
                self._asked += 1
            self._deadline_s = max(self._deadline_s, deadline_s)
            self._closing = self._closing or close
            self._changed.notify_all()
            return self._asked

    def wait(self, asked: int, *, deadline_s: float) -> bool:
        """Wait for an answer until a moment; returns whether everything went."""
        if threading.current_thread() is self._thread:
            return False  # an exporter cannot wait for itself
        with self._changed:
            self._changed.wait_for(
                lambda: self._answered >= asked or not self._is_running(),
                max(0.0, deadline_s - _now_s()),
            )
            is_over = self._answered >= asked or not (self._is_running() or len(self))
            return is_over and self._all_went

    def wait_closed(self, *, deadline_s: float) -> bool:
        """Wait for the thread's end until a moment, then count what it still has as lost."""
        thread = self._thread
        if thread is threading.current_thread():
            return False  # it ends when the exporter is done with what it was given
        if thread is not None:
            thread.join(max(0.0, deadline_s - _now_s()))
        _running.discard(self)
        with self._changed:
            self._gave_up = self._gave_up or self._is_running()
            self._take_nothing_more()
            if self._exporting:
                self._lose("closed before the exporter was done with it")
            return self._all_went and not self._gave_up

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _take_nothing_more(self) -> None:
        self._closed = True
        self.dropped += len(self._waiting)
        self._waiting, self._large, self._bytes = [], {}, 0

    def _lose(self, why: str) -> None:
        self.failed += self._exporting
        self._exporting = 0
        self.last_error = why[:500]

    # --- In the thread of the exporter ------------------------------------------------------------

    def _run(self) -> None:
        CURRENT.set(OFF)  # a traced HTTP client must not make spans of delivering spans
        closing = False
        while not closing:
            with self._changed:
                self._changed.wait_for(self._is_wanted, self._interval_s)
                asked, closing, self._hurry = self._asked, self._closing, False
            all_went = self._deliver()
            if closing:
                with self._changed:
                    self._take_nothing_more()
            if asked > self._answered:
                all_went = self._tell("flush") and all_went
            if closing:
                all_went = self._tell("close") and all_went
            with self._changed:
                self._answered, self._all_went = asked, all_went
                self._changed.notify_all()
        _running.discard(self)

    def _is_wanted(self) -> bool:
        return self._hurry or self._closing or self._asked > self._answered

    def _deliver(self) -> bool:
        """Hand everything over; returns whether the monitor gave what it has."""
        is_complete = True
        try:
            self._refill()
        except BaseException as error:  # noqa: BLE001 - the thread goes on with what it was given
            self.last_error, is_complete = _said(error), False
        while batch := self._next_batch():
            problem = None
            try:
                self.exporter.export(batch)
            except BaseException as error:  # noqa: BLE001 - counted, and shown in get_stats
                problem = _said(error)
            with self._changed:
                if problem is not None:
                    self._lose(problem)
                self.exported += self._exporting  # 0 if it was given up
                self._exporting = 0
        return is_complete

    def _next_batch(self) -> list[Span]:
        with self._changed:
            batch = self._waiting[:_MAX_SPANS_PER_CALL]
            del self._waiting[: len(batch)]
            if self._large:
                self._bytes -= sum(self._large.pop(id(span), 0) for span in batch)
            self._exporting = len(batch)
            return batch

    def _tell(self, what: Literal["flush", "close"]) -> bool:
        """Call `flush` or `close` of an exporter that has it; returns whether it did not fail."""
        method = getattr(self.exporter, what, None)
        if method is None:
            return True
        left_s = max(0.0, self._deadline_s - _now_s())
        if self._closing and what == "flush":
            left_s *= _FLUSH_SHARE
        try:
            return method(left_s) is not False
        except BaseException as error:  # noqa: BLE001 - said, and shown in get_stats
            self.last_error = _said(error)
            return False


def flush_all(queues: Iterable[ExportQueue], timeout_s: float) -> bool:
    """Wait until all that waits was handed over; `timeout_s` is for all queues together."""
    deadline_s = _now_s() + timeout_s
    requests = [(queue, queue.ask(deadline_s=deadline_s)) for queue in queues]
    delivered = [queue.wait(asked, deadline_s=deadline_s) for queue, asked in requests]
    return all(delivered)


def close_all(queues: Iterable[ExportQueue], timeout_s: float) -> bool:
    """Deliver what waits and end the queues, all at once; `timeout_s` is for all together."""
    deadline_s = _now_s() + timeout_s
    closed = [*queues]
    for queue in closed:
        queue.ask(deadline_s=deadline_s, close=True)
    delivered = [queue.wait_closed(deadline_s=deadline_s) for queue in closed]
    return all(delivered)


_running: set[ExportQueue] = set()
_exit_ends_s: float | None = None


def exit_left_s() -> float:
    """Return how long the end of the program may still wait; the first call begins it."""
    global _exit_ends_s  # noqa: PLW0603 - a program ends once
    if _exit_ends_s is None:
        _exit_ends_s = _now_s() + _EXIT_S
    return max(0.0, _exit_ends_s - _now_s())


def _close_at_exit() -> None:
    close_all(tuple(_running), exit_left_s())


def _now_s() -> float:
    return time.perf_counter()  # a real time-out: an exporter's thread waits for real


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
