"""A probe on what the program allocates and keeps."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.memory.allowance import Allowance
from perfwright.profiling.memory.history import History, kept_ratio
from perfwright.profiling.memory.holders import Holders
from perfwright.profiling.memory.interest import Interest
from perfwright.profiling.memory.process import resident_bytes
from perfwright.profiling.memory.records import UNTRACED, notes_of, record
from perfwright.profiling.memory.series import FIRST_PERIOD_S, FREE_S, LATER_PERIOD_S, Series
from perfwright.profiling.memory.snapshot import Snapshot, take
from perfwright.profiling.model import Memory
from perfwright.profiling.watcher import Watcher

if TYPE_CHECKING:
    from perfwright.core import Clock

_running: set[MemoryProbe] = set()
MAX_LEAKS = 10
MAX_OWN_BYTES = 5 * 1024 * 1024
"""Of tracemalloc's own tables, about 60,000 blocks, before it rests: they tell where memory goes,
and a snapshot of more would hold the program up."""
MAX_FRAMES = 32


class MemoryProbe:
    """Tells by line what the run kept, what it held at its peak, and what grew all the time.

    It stands on tracemalloc, which makes code that allocates (every float is an allocation) about
    10 times slower with one frame for each block, and 30 to 60 times with four: worse for all times
    that are measured meanwhile than any other probe. So by default it only watches the size of the
    process, and begins to trace when that has grown by 4 MiB: who keeps or copies much is found,
    and a program that does neither is not slowed. It traces for 0.15 s, and then for a part of the
    time, so that the run as a whole takes at most half as long again. It stops when there was
    neither a new peak nor steady growth for a while, and goes on when the process has grown by as
    much once more (twice that the next time, and so on, as it then finds less and less). If
    tracemalloc runs already, that one is used from the start, and left running.

    Args:
        after_bytes: Growth of the process beyond which tracing begins: at once on a system that
            does not tell the size of a process (not Linux). 0 begins at once and goes on to the
            end, however slow that is.
        frames: Callers kept for each block, 1 to 32, the line itself included.
        interval_s: Between two looks at how much is held, in seconds.
        max_cost_ratio: Bound of the time that snapshots may take, 0 to 1 of the traced time.
        watch: Look from an own thread; else call `look` from something that wakes up already.
        done: Tells how much the program has done so far, in any unit, such as calls; by that it is
            measured how much tracing slows it. Without it, a factor of 10 is taken.
        on_trace: Called with True after tracing begins, with False before it ends.
        clock: For tests; the machine's by default.

    Raises:
        ConfigError: If a value cannot be used.
    """

    def __init__(
        self,
        *,
        after_bytes: int = 4 * 1024 * 1024,
        frames: int = 1,
        interval_s: float = 0.01,
        max_cost_ratio: float = 0.2,
        watch: bool = True,
        done: Callable[[], float] | None = None,
        on_trace: Callable[[bool], object] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not 1 <= frames <= MAX_FRAMES:
            problem = f"is not from 1 to {MAX_FRAMES}"
            raise ConfigError(field="frames", value=frames, problem=problem)
        if after_bytes < 0:
            raise ConfigError(field="after_bytes", value=after_bytes, problem="is below 0")
        for field, value in (("interval_s", interval_s), ("max_cost_ratio", max_cost_ratio)):
            if not value > 0:
                raise ConfigError(field=field, value=value, problem="is not above 0")
        self._after_bytes, self._frames = after_bytes, frames
        self._max_cost_ratio = max_cost_ratio
        self._now: Callable[[], float] = time.perf_counter if clock is None else clock.now
        self._watcher = Watcher(self.look, interval_s=interval_s, name="perfwright-memory")
        self._watch, self._done, self._on_trace = watch, done, on_trace
        self._lock = threading.Lock()
        self._running = self._is_mine = self._is_late = self._is_resting = False
        self._series: Series | None = None
        self._interest: Interest | None = None
        self._history = History()
        self._allowance: Allowance | None = None
        self._holders = Holders(began_s=0.0)
        self._start_bytes = self._most_bytes = self._peak_bytes = self._low_bytes = 0
        self._start_blocks = self._paused_bytes = self._paused_blocks = self._pauses = 0
        self._looked_s = self._turned_s = self._turned_done = 0.0

    @property
    def running(self) -> bool:
        """Whether memory is being watched."""
        return self._running

    def start(self) -> None:
        """Watch from now on.

        Raises:
            ProfilerError: If it runs already.
        """
        if self._running:
            raise ProfilerError(problem="this MemoryProbe runs already", remedy="stop it first")
        self._running, self._series, self._history = True, None, History()
        self._is_mine = self._is_late = self._is_resting = False
        self._interest, self._pauses = None, 0
        self._start_bytes = self._most_bytes = self._low_bytes = resident_bytes()
        self._start_blocks = sys.getallocatedblocks()
        is_bounded = self._after_bytes and not tracemalloc.is_tracing()
        self._allowance = Allowance() if is_bounded else None
        self._looked_s = self._turned_s = self._now()
        self._holders = Holders(began_s=self._looked_s)
        if not (is_bounded and self._start_bytes):
            self._trace()
        _running.add(self)
        if self._watch:
            self._watcher.start()

    def look(self) -> None:
        """See how much is held, and take a snapshot if that is worth its time."""
        with self._lock:
            if not self._running:
                return
            self._pass_time()
            if self._series is None:
                self._look_from_afar()
            else:
                self._look_closer(self._series)

    def stop(self) -> Memory:
        """Watch no longer, and return what was seen; cycles are collected first.

        Raises:
            ProfilerError: If it was not started.
        """
        if not self._running:
            raise ProfilerError(problem="this MemoryProbe does not run", remedy="start it first")
        self._watcher.stop()
        with self._lock:
            self._running = False
            _running.discard(self)
            return self._result()

    # --- Tracing ----------------------------------------------------------------------------------

    def _pass_time(self) -> None:
        now_s = self._now()
        self._most_bytes = max(self._most_bytes, resident_bytes())
        if self._allowance is not None:
            self._allowance.pass_time(now_s - self._looked_s, traced=self._series is not None)
        self._looked_s = now_s

    def _look_from_afar(self) -> None:
        """Begin to trace if the process has grown, or go on after a rest."""
        resident = resident_bytes()
        if self._pauses:
            # What has been freed may be filled again by what leaks.
            self._low_bytes = min(self._low_bytes, resident)
        if self._allowance is not None and not self._allowance.is_enough:
            return
        grown_bytes = self._after_bytes * 2 ** max(0, self._pauses - 1)
        if self._is_resting or resident > self._low_bytes + grown_bytes:
            self._is_late = self._is_late or not self._is_resting
            self._resume()

    def _resume(self) -> None:
        """Trace, until there is nothing new or it has taken its share of the time."""
        if self._history.stretches:
            self._pass_pause()
        self._is_resting = False
        self._trace()
        if self._is_mine and self._interest is None:
            self._interest = Interest(self._watched_s(), patience=2**self._pauses)

    def _trace(self) -> None:
        """Begin to trace; or use the tracing of others."""
        self._turn(was_traced=False)
        if not tracemalloc.is_tracing():
            tracemalloc.start(self._frames)
            self._is_mine = True
        self._peak_bytes = 0
        is_first = not self._history.stretches
        self._series = Series(
            take(self._now()),
            max_cost_ratio=self._max_cost_ratio,
            period_s=FIRST_PERIOD_S if is_first else LATER_PERIOD_S,
            free_s=FREE_S if is_first else 0.0,
        )
        if self._is_mine and self._on_trace is not None:
            self._on_trace(True)

    def _turn(self, *, was_traced: bool) -> None:
        """Measure how much was done in the stretch with or without tracing that ends."""
        now_s = self._now()
        done = self._done() if self._done is not None else 0.0
        if self._allowance is not None and self._done is not None:
            self._allowance.measured(
                now_s - self._turned_s, done=done - self._turned_done, traced=was_traced
            )
        self._turned_s, self._turned_done = now_s, done

    def _watched_s(self) -> float:
        """Return how long was traced in all, which is the time of `Interest`."""
        began_s = self._series.first.at_s if self._series is not None else self._now()
        return self._history.traced_s + self._now() - began_s

    def _look_closer(self, series: Series) -> None:
        """Take a snapshot if that is worth its time, and nothing else has stopped the tracing."""
        if not tracemalloc.is_tracing():
            return
        interest, at_s = self._interest, self._watched_s()
        before_bytes = self._history.held.total_bytes
        held_bytes, _ = tracemalloc.get_traced_memory()
        allowance = self._allowance if self._is_mine else None
        is_full = tracemalloc.get_tracemalloc_memory() > MAX_OWN_BYTES
        if allowance is not None and (is_full or allowance.is_spent):
            self._snap(series)
            self._is_resting = True
            self._pause(series)
        elif series.is_due(held_bytes, now_s=self._now()):
            self._snap(series)
        elif interest is not None and (
            due := interest.due(before_bytes + self._traced_peak(), now_s=at_s)
        ):
            self._snap(series)
            total_bytes = before_bytes + series.latest.total_bytes
            if due == "mark":
                interest.mark(total_bytes, now_s=at_s)
            elif interest.is_over(total_bytes):
                self._interest = None
                self._pauses += 1
                self._pause(series)
            else:
                interest.renew(self._watched_s())

    def _snap(self, series: Series) -> None:
        before_s = time.thread_time()  # on a busy machine, not all time that passes is its cost
        snapshot = self._take()
        series.add(snapshot, cost_s=time.thread_time() - before_s)

    def _take(self) -> Snapshot:
        """Take a snapshot; its own memory is no peak of the program."""
        self._peak_bytes = self._traced_peak()
        snapshot = take(self._now())
        if self._is_mine:
            tracemalloc.reset_peak()
        return snapshot

    def _traced_peak(self) -> int:
        return max(self._peak_bytes, tracemalloc.get_traced_memory()[1]) if self._is_mine else 0

    def _pause(self, series: Series) -> None:
        """Trace no longer; what is known by tracing only is found out before."""
        series.end(series.latest)
        self._history.add(series, peak_bytes=self._peak_bytes)
        again = [each.place for each in self._history.suspects_at_pause()[:MAX_LEAKS]]
        self._holders.ask(again, now_s=self._now())
        self._untrace()
        self._pass_time()  # snapshots are part of what tracing costs
        if self._allowance is not None:
            self._allowance.exhaust()
        self._series = None
        self._paused_bytes = self._low_bytes = resident_bytes()
        self._paused_blocks = sys.getallocatedblocks()

    def _untrace(self) -> None:
        if self._on_trace is not None:
            self._on_trace(False)
        tracemalloc.stop()
        self._is_mine = False
        self._turn(was_traced=True)

    def _pass_pause(self) -> None:
        """Judge by the size of the process what was freed unseen, or kept as before."""
        history, resident = self._history, resident_bytes()
        ratio = kept_ratio(
            history.held,
            freed_bytes=self._paused_bytes - min(self._low_bytes, resident),
            freed_blocks=self._paused_blocks - sys.getallocatedblocks(),
        )
        history.pass_to(
            self._now(),
            kept_ratio=ratio,
            grew_bytes=resident - self._paused_bytes if self._is_resting else 0,
            speed=self._allowance.slowdown if self._allowance is not None else 1.0,
        )
        self._bound()

    def _bound(self) -> None:
        if self._allowance is not None:  # else nothing was missed
            self._history.bound(blocks=sys.getallocatedblocks() - self._start_blocks)

    def _result(self) -> Memory:
        self._pass_time()
        series, history = self._series, self._history
        if series is None and not history.stretches:
            return self._completed(UNTRACED)
        gc.collect()  # what it frees is no leak
        is_tracing = tracemalloc.is_tracing()
        if series is None:
            self._pass_pause()
        else:
            if is_tracing:
                series.end(self._take())
            history.add(series, peak_bytes=self._peak_bytes)
            self._bound()
        leaks = history.suspects(series)[:MAX_LEAKS]
        if series is not None:
            self._holders.ask([each.place for each in leaks])
        if self._is_mine:
            self._untrace()
        notes = [*notes_of(history, late=self._is_late, paused=series is None)]
        if series is not None and not is_tracing:
            notes.append("tracemalloc was stopped by something else; what came later is not known")
        return self._completed(record(history, leaks, names=self._holders.names, notes=notes))

    def _completed(self, seen: Memory) -> Memory:
        return replace(
            seen,
            process_start_bytes=self._start_bytes,
            process_peak_bytes=self._most_bytes,
            slowdown=self._allowance.slowdown if self._allowance and seen.traced_s else 0.0,
        )


def _forget_in_child() -> None:
    """A forked child would trace for nobody."""
    for probe in tuple(_running):
        probe._lock = threading.Lock()
        probe._running = False
        if probe._is_mine:
            tracemalloc.stop()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
