"""A probe on what the program allocates and keeps."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.memory.history import History, kept_ratio
from perfwright.profiling.memory.interest import Interest
from perfwright.profiling.memory.leaks import Suspect
from perfwright.profiling.memory.lines import Lines
from perfwright.profiling.memory.names import LOCAL
from perfwright.profiling.memory.owners import owners
from perfwright.profiling.memory.process import resident_bytes
from perfwright.profiling.memory.series import Series
from perfwright.profiling.memory.snapshot import Held, Place, Snapshot, grown, take
from perfwright.profiling.model import Allocation, Leak, Memory
from perfwright.profiling.watcher import Watcher

if TYPE_CHECKING:
    from perfwright.core import Clock

_running: set[MemoryProbe] = set()
MAX_PLACES = 200
"""Listed at the peak and at the end, largest first."""
MIN_PEAK_RATIO = 0.7
"""Of the peak; a snapshot of less says little about it."""
MAX_LEAKS = 10
MAX_FRAMES = 32


class MemoryProbe:
    """Tells by line what the run kept, what it held at its peak, and what grew all the time.

    It stands on tracemalloc, which makes code that allocates (every float is an allocation) about
    10 times slower with one frame for each block, and 30 to 60 times with four: worse for all times
    that are measured meanwhile than any other probe. So by default it only watches the size of the
    process, and begins to trace when that has grown by 8 MiB: who keeps or copies much is found,
    and a program that does neither is not slowed. It stops again when there was neither a new peak
    nor steady growth for a while, and goes on when the process has grown by as much once more
    (twice that the next time, and so on, as it then finds less and less). If tracemalloc runs
    already, that one is used from the start, and left running.

    Args:
        after_bytes: Growth of the process beyond which tracing begins; 0 begins at once and goes on
            to the end, as on a system that does not tell the size of a process (not Linux).
        frames: Callers kept for each block, 1 to 32, the line itself included.
        interval_s: Between two looks at how much is held, in seconds.
        max_cost_ratio: Bound of the time that snapshots may take, 0 to 1 of the run; without the
            two for each quiet time, which tell whether to pause.
        watch: Look from an own thread; else call `look` from something that wakes up already.
        clock: For tests; the machine's by default.

    Raises:
        ConfigError: If a value cannot be used.
    """

    def __init__(
        self,
        *,
        after_bytes: int = 8 * 1024 * 1024,
        frames: int = 1,
        interval_s: float = 0.01,
        max_cost_ratio: float = 0.2,
        watch: bool = True,
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
        self._watch = watch
        self._lock = threading.Lock()
        self._running = self._is_mine = self._is_late = False
        self._series: Series | None = None
        self._interest: Interest | None = None
        self._history = History()
        self._held_by: dict[Place, str] = {}
        self._start_bytes = self._peak_bytes = self._low_bytes = 0
        self._paused_bytes = self._paused_blocks = 0

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
        self._is_mine = self._is_late = False
        self._held_by = {}
        self._start_bytes = self._peak_bytes = self._low_bytes = resident_bytes()
        if tracemalloc.is_tracing() or not self._after_bytes or not self._start_bytes:
            self._trace()
            self._start_bytes = self._peak_bytes = tracemalloc.get_traced_memory()[0]
        _running.add(self)
        if self._watch:
            self._watcher.start()

    def look(self) -> None:
        """See how much is held, and take a snapshot if that is worth its time."""
        with self._lock:
            if not self._running:
                return
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

    def _look_from_afar(self) -> None:
        """Begin to trace if the process has grown."""
        resident = resident_bytes()
        self._peak_bytes = max(self._peak_bytes, resident)
        stretches = self._history.stretches
        if stretches:
            # What has been freed may be filled again by what leaks.
            self._low_bytes = min(self._low_bytes, resident)
        if resident > self._low_bytes + self._after_bytes * 2 ** max(0, stretches - 1):
            self._is_late = True
            self._resume()

    def _resume(self) -> None:
        """Trace until there is nothing new, as the tracing of others never is."""
        history = self._history
        if history.stretches:
            self._pass_pause()
        self._trace()
        self._peak_bytes = 0
        if self._is_mine:
            self._interest = Interest(
                self._now(), before_s=history.traced_s, patience=2**history.stretches
            )

    def _trace(self) -> None:
        """Begin to trace; or use the tracing of others."""
        self._interest = None
        if not tracemalloc.is_tracing():
            tracemalloc.start(self._frames)
            self._is_mine = True
        self._series = Series(take(self._now()), max_cost_ratio=self._max_cost_ratio)

    def _look_closer(self, series: Series) -> None:
        """Take a snapshot if that is worth its time, and nothing else has stopped the tracing."""
        if not tracemalloc.is_tracing():
            return
        now_s, interest = self._now(), self._interest
        held_bytes, _ = tracemalloc.get_traced_memory()
        if series.is_due(held_bytes, now_s=now_s):
            self._snap(series)
        elif interest is not None and (due := interest.due(self._traced_peak(), now_s=now_s)):
            self._snap(series)
            if due == "mark":
                interest.mark(series.latest)
            elif interest.is_over(series.latest):
                self._pause(series)
            else:
                interest.renew(self._now())

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
        if again:
            self._held_by |= owners(again)
        tracemalloc.stop()
        self._is_mine, self._series, self._interest = False, None, None
        self._paused_bytes = self._low_bytes = resident_bytes()
        self._paused_blocks = sys.getallocatedblocks()

    def _pass_pause(self) -> None:
        """Judge by the size of the process what of the memory held was freed unseen."""
        history = self._history
        ratio = kept_ratio(
            history.held,
            freed_bytes=self._paused_bytes - min(self._low_bytes, resident_bytes()),
            freed_blocks=self._paused_blocks - sys.getallocatedblocks(),
        )
        history.pass_to(self._now(), kept_ratio=ratio)

    def _result(self) -> Memory:
        series, history = self._series, self._history
        if series is None and not history.stretches:
            return self._untraced()
        if series is not None:
            self._look_closer(series)
            series = self._series  # that look may have been the last
        gc.collect()  # what it frees is no leak
        is_paused, is_tracing = series is None, tracemalloc.is_tracing()
        if series is None:
            self._pass_pause()
        else:
            if is_tracing:
                series.end(self._take())
            history.add(series, peak_bytes=self._peak_bytes)
        leaks = history.suspects(series)[:MAX_LEAKS]
        if not is_paused:
            self._held_by |= owners(leak.place for leak in leaks)
        if self._is_mine:
            tracemalloc.stop()
        notes = [*_notes(history, late=self._is_late, paused=is_paused)]
        if not is_paused and not is_tracing:
            notes.append("tracemalloc was stopped by something else; what came later is not known")
        lines = Lines()
        return Memory(
            start_bytes=history.first.total_bytes,
            end_bytes=history.held.total_bytes,
            peak_bytes=history.peak_bytes,
            growth=_allocations(grown(history.held, since=history.first), lines),
            at_peak=_allocations(grown(history.peak, since=history.first), lines),
            leaks=tuple(
                _leak(each, self._held_by.get(each.place, ""), lines=lines) for each in leaks
            ),
            at_peak_bytes=history.peak.total_bytes,
            traced_s=history.traced_s,
            cost_s=history.cost_s,
            notes=tuple(notes),
        )

    def _untraced(self) -> Memory:
        resident = resident_bytes()
        return Memory(
            start_bytes=self._start_bytes,
            end_bytes=resident,
            peak_bytes=max(resident, self._peak_bytes),
            notes=("allocations were not traced: the process grew by too little",),
        )


def _allocations(places: Mapping[Place, Held], lines: Lines) -> tuple[Allocation, ...]:
    largest = sorted(places.items(), key=lambda item: -item[1].size_bytes)[:MAX_PLACES]
    return tuple(
        Allocation(
            frame=lines.frame(*place[0]),
            size_bytes=held.size_bytes,
            count=held.count,
            callers=tuple(lines.frame(*each) for each in place[1:]),
        )
        for place, held in largest
    )


def _leak(suspect: Suspect, owner: str, *, lines: Lines) -> Leak:
    # A variable of a running function grows too while a result is being built.
    is_kept = bool(owner) and LOCAL not in owner
    return Leak(
        frame=lines.frame(*suspect.place[0]),
        growth_bytes=suspect.growth_bytes,
        slope_bytes_per_s=suspect.slope_bytes_per_s,
        owner=owner,
        confidence=suspect.confidence * (1.0 if is_kept else 0.5),
        callers=tuple(lines.frame(*each) for each in suspect.place[1:]),
    )


def _notes(history: History, *, late: bool, paused: bool) -> Iterator[str]:
    if late:
        yield "allocations before the process began to grow were not traced"
    pauses = history.stretches - (not paused)
    if pauses:
        yield (
            f"tracing was paused {pauses} times ({history.traced_s:.1f} s were traced), as it "
            "slows the program and neither a new peak nor steady growth was seen for a while: "
            "what was allocated meanwhile is not known, and of what was freed only the sum"
        )
    peak_bytes, at_peak_bytes = history.peak_bytes, history.peak.total_bytes
    if at_peak_bytes < MIN_PEAK_RATIO * peak_bytes:
        why = (
            "snapshots had taken their share of the time" if history.skipped else "it was too short"
        )
        yield (
            f"what was held at the peak of {peak_bytes / 2**20:.0f} MB is not known, as {why}; "
            f"`at_peak` is of {at_peak_bytes / 2**20:.0f} MB"
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
