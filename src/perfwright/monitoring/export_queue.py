"""Hands finished spans to an exporter from a thread of its own, counting what it cannot take."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from perfwright.monitoring.export_buffer import ExportBuffer
from perfwright.monitoring.exporters import SpanExporter, arrived_of
from perfwright.monitoring.forks import renew_after_fork
from perfwright.monitoring.spans import CURRENT, OFF, Span

MAX_QUEUE = 8_192
"""Spans that may wait, unless somebody says otherwise: 5 MB of usual ones."""
INTERVAL_S = 1.0
_MAX_SPANS_PER_CALL = 512
_EXIT_S = 5.0
"""How long the end of the program waits, for all exporters of all monitors together."""
_FLUSH_SHARE = 0.9
"""Of what is left of the time to close; the rest is for the exporter's own `close`."""


class ExportQueue:
    """A bounded queue with one consumer thread.

    That thread makes all calls of the exporter. So one that hangs holds up nothing but its thread:
    who flushes or closes leaves a request for it, and waits only as long as was said.

    Args:
        exporter: Who gets the spans. If it has `tick()`, that is called after each delivery, and
            at least every `interval_s`; if it has `last_error`, that says why spans were lost.
        max_spans: Waiting at most, those in the hands of the exporter included; new ones are
            dropped beyond that, and large ones beyond `LARGE_BYTES` for each of these.
        interval_s: Longest time that a span waits while the exporter is free.
        batch: Spans of one call, at most.
        name: Of the exporter, in what is counted; by default its class.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        max_spans: int = MAX_QUEUE,
        interval_s: float = INTERVAL_S,
        batch: int = _MAX_SPANS_PER_CALL,
        name: str = "",
    ) -> None:
        self.exporter, self.name = exporter, name or type(exporter).__name__
        self.exported = self.failed = 0
        self.drops: Counter[str] = Counter()
        """Spans that the exporter was never given, by reason: `queue_full`, `closed`."""
        self.last_error = ""
        self._refills: tuple[Callable[[], None], ...] = ()
        self._max_spans, self._interval_s = max_spans, interval_s
        self._batch = min(batch, max_spans)
        self._closing = False
        self._lost_before = 0  # what the last flush has told of
        self._begin()
        renew_after_fork(self)

    def resize(self, max_spans: int | None, *, interval_s: float | None) -> None:
        """Change what is not None."""
        if max_spans is not None:
            self._max_spans = self._waiting.max_spans = max_spans
            self._batch = min(self._batch, max_spans)
        if interval_s is not None:
            self._interval_s = interval_s

    def refill_by(self, refill: Callable[[], None]) -> None:
        """Call `refill` before each delivery: it makes a monitor hand over what it holds back."""
        self._refills = (*self._refills, refill)

    def after_fork(self) -> None:
        """Go on in a forked child: the thread and what waited are the parent's."""
        if self._pid == os.getpid():
            return  # begun anew already, by the monitor
        self._begin()
        renew = getattr(self.exporter, "after_fork", None)
        if renew is not None:
            renew()

    def reset(self) -> None:
        """Forget all waiting spans; in a forked child they are the parent's to deliver."""
        self.after_fork()
        with self._changed:
            self._waiting.clear()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._waiting = ExportBuffer(self._max_spans)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._exporting = 0  # spans in the hands of the exporter
        self._hurry = self._gave_up = False
        self._closed = self._closing  # a child does not open again what its parent closed
        self._asked = self._answered = 0  # flushes
        self._deadline_s = 0.0
        self._all_went = True  # at the last flush, or at the close

    @property
    def dropped(self) -> int:
        """Spans that the exporter was never given."""
        return self.drops.total()

    @property
    def lost(self) -> int:
        """Spans that did not arrive."""
        return self.dropped + self.failed

    def counts(self) -> dict[str, int | str]:
        """Return what became of the spans, and the last failure."""
        with self._changed:
            return {
                "exporter": self.name,
                "waiting": len(self._waiting) + self._exporting,
                "exported": self.exported,
                "dropped": self.dropped,
                "failed": self.failed,
                "last_error": self.last_error,
            }

    @property
    def waiting(self) -> int:
        """Spans that the exporter was not given yet."""
        return len(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting) + self._exporting

    def start(self) -> None:
        """Start the thread, so that what the monitor holds back is asked for."""
        if self._is_running():
            return
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
        _watch_processes()

    def put(self, spans: Sequence[Span]) -> None:
        """Queue `spans` as far as there is room; never waits."""
        with self._changed:
            taken = 0 if self._closed else self._waiting.put(spans, taken=self._exporting)
            if taken < len(spans):
                self.drops["closed" if self._closed else "queue_full"] += len(spans) - taken
            if len(self._waiting) >= self._batch:
                self._hurry = True
                self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that waits now was delivered; returns whether nothing was lost."""
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
            if self._answered < asked and (self._is_running() or len(self)):
                return False
            if not self._is_running():  # so nobody tells of what was dropped since
                self._tell_losses(all_went=self._all_went)
            return self._all_went

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
                self._lose(self._exporting, why="closed before the exporter was done with it")
                self._exporting = 0
            return self._all_went and not self._gave_up

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _take_nothing_more(self) -> None:
        self._closed = True
        if left := self._waiting.clear():
            self.drops["closed"] += left

    def _lose(self, count: int, *, why: str) -> None:
        self.failed += count
        self.last_error = why[:500]

    def _tell_losses(self, *, all_went: bool) -> None:
        """Answer a flush: all went if nothing was lost since the one before."""
        self._all_went = all_went and self.lost == self._lost_before
        self._lost_before = self.lost

    # --- In the thread of the exporter ------------------------------------------------------------

    def pause(self, seconds: float) -> bool:
        """Wait, for an exporter that tries again; returns whether the queue is closing."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closing, seconds)

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
                if closing or asked > self._answered:
                    self._tell_losses(all_went=all_went)
                self._answered = asked
                self._changed.notify_all()
        _running.discard(self)

    def _is_wanted(self) -> bool:
        return self._hurry or self._closing or self._asked > self._answered

    def _deliver(self) -> bool:
        """Hand everything over; returns whether the monitor gave what it has."""
        is_complete = True
        for refill in self._refills:
            try:
                refill()
            except BaseException as error:  # noqa: BLE001 - the thread goes on with what it was given
                self.last_error, is_complete = _said(error), False
        while batch := self._next_batch():
            self._hand_over(batch)
        self._tell("tick")
        return is_complete

    def _hand_over(self, batch: list[Span]) -> None:
        arrived, why = 0, ""
        try:
            arrived = arrived_of(self.exporter.export(batch), len(batch))
        except BaseException as error:  # noqa: BLE001 - counted, and shown in get_stats
            why = _said(error)
        with self._changed:
            if not self._exporting:
                return  # it was closed meanwhile, and the batch given up
            self.exported, self._exporting = self.exported + arrived, 0
            if arrived < len(batch):
                said = str(getattr(self.exporter, "last_error", ""))
                some = f"{arrived} of {len(batch)} spans arrived"
                self._lose(len(batch) - arrived, why=why or said or some)

    def _next_batch(self) -> list[Span]:
        with self._changed:
            batch = self._waiting.take(self._batch)
            self._exporting = len(batch)
            return batch

    def _tell(self, what: Literal["flush", "close", "tick"]) -> bool:
        """Call a method of an exporter that has it; returns whether it did not fail."""
        method = getattr(self.exporter, what, None)
        if method is None:
            return True
        left_s = max(0.0, self._deadline_s - _now_s())
        if self._closing and what == "flush":
            left_s *= _FLUSH_SHARE
        try:
            return (method() if what == "tick" else method(left_s)) is not False
        except BaseException as error:  # noqa: BLE001 - said, and shown in get_stats
            self.last_error = _said(error)
            return False


def flush_all(queues: Iterable[ExportQueue], timeout_s: float) -> bool:
    """Wait until all that waits was delivered; `timeout_s` is for all queues together."""
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


def _close_at_process_end(_: object = None) -> None:
    """Deliver at the end of a process of `multiprocessing`, which leaves out what `atexit` has."""
    sys.modules["multiprocessing.util"].Finalize(None, _close_at_exit, exitpriority=0)


def _watch_processes() -> None:
    """Deliver at the end of such processes, if the program has any."""
    global _is_watching  # noqa: PLW0603 - as `multiprocessing` is one for all
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    if not _is_watching:  # a process forgets at its start what was to be done at its end
        _is_watching = True
        util.register_after_fork(_close_at_exit, _close_at_process_end)
    if sys.modules["multiprocessing.process"].parent_process() is not None:  # it has started
        _close_at_process_end()


_is_watching = False
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_watch_processes)


def _now_s() -> float:
    return time.perf_counter()  # a real time-out: an exporter's thread waits for real


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
