"""Event loops seen by a sampler's looks alone."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.asynchronous import registry
from perfwright.profiling.asynchronous.panel import Panel
from perfwright.profiling.asynchronous.registry import Turns
from perfwright.profiling.asynchronous.setup import Setup
from perfwright.profiling.asynchronous.summary import summary
from perfwright.profiling.asynchronous.tasks import Tasks
from perfwright.profiling.asynchronous.watched import Moment, Records, Watched
from perfwright.profiling.model import Async

if TYPE_CHECKING:
    from perfwright.core import Clock

_COUNT_SHARE = 0.3
"""Of the allowed cost, for counting tasks and choosing among them; the rest is for looking."""
_MOST_COUNTED = 1_000
"""Tasks sorted by function at one count: of more, a part stands for all."""
_MOST_FOLLOWED, _LEAST_FOLLOWED = 256, 4
_CREDIT_S = 0.2
"""What is saved may be spent at once up to so many seconds' worth."""
_FIRST_FOLLOWED, _EACH_S = 16, 3e-6
"""Before anything is known: tasks, and what one of them costs at a look."""
_SMOOTHING = 0.2


class Tick(Protocol):
    """What a sampler shows of all threads at one moment."""

    @property
    def now_s(self) -> float:
        """Seconds on the sampler's clock."""

    @property
    def frames(self) -> Mapping[int, FrameType]:
        """Innermost frame of each thread, by its identity."""

    @property
    def cpu_s(self) -> Mapping[int, float]:
        """Processor time of each thread so far, where it is known."""

    @property
    def late_s(self) -> float:
        """How long the look was due before it could be taken."""


class LookProbe:
    """Sees what tasks await and what blocks a loop, without a hook in the program.

    At each look of a sampler it reads where suspended tasks stand. A task whose future is still the
    same has not moved; a call that is there still is the same call. What changed between two looks
    is taken to have done so in the middle. So times are right within a period for each await, and
    on average over many; awaits shorter than a period are met by chance, and counted too rarely.

    The loops of others (uvloop) show their tasks, but not what blocks them.

    Args:
        max_cost_ratio: Most processor time that looking may take, 0 to 1 of the time that passes.
            Beyond it fewer tasks are followed, drawn evenly from each function's, then fewer looks
            are taken.
        block_s: A callback that holds its loop for longer counts as blocking, in seconds.
        clock: For tests; the sampler's should be the same.
        rng: Chooses tasks.

    Raises:
        ConfigError: If a number is not above 0.
    """

    def __init__(
        self,
        *,
        max_cost_ratio: float = 0.003,
        block_s: float = 0.01,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        for field, value in (("max_cost_ratio", max_cost_ratio), ("block_s", block_s)):
            if not value > 0:
                raise ConfigError(field=field, value=value, problem="is not above 0")
        self._max_ratio, self._block_s = max_cost_ratio, block_s
        self._now = time.perf_counter if clock is None else clock.now
        self._rng = rng or Random()
        self._pid = 0
        """Of the process that it runs in; a forked child is not watched."""

    @property
    def running(self) -> bool:
        """Whether loops are being watched."""
        return self._pid == os.getpid()

    def start(self) -> None:
        """Watch all loops from the next look on, those that run already too.

        Raises:
            ProfilerError: If it runs already.
        """
        if self.running:
            raise ProfilerError(problem="this LookProbe runs already", remedy="stop it first")
        now_s = self._now()
        self._started_s = self._looked_s = self._counted_s = self._ticked_s = now_s
        self._setup = Setup(
            now=self._now,
            block_s=self._block_s,
            started_s=now_s,
            task_types=(),
            machinery=frozenset(),
            is_machinery=lambda _: False,
            rng=self._rng,
        )
        self._loops: dict[int, Watched] = {}
        self._records, self._fault = Records(Tasks(self._setup)), ""
        self._turns: Turns | None = None
        self._count_due_s = now_s
        self._cost_s, self._credit_s = 0.0, self._max_ratio * _CREDIT_S
        self._each_s = _EACH_S
        """Smoothed cost of one followed task at one look."""
        self._tick_s = 0.01
        """Smoothed time between two ticks."""
        self._quota, self._looks = _FIRST_FOLLOWED, 0
        self._pid = os.getpid()

    def stop(self) -> Async:
        """Watch no longer, and return what was seen.

        Raises:
            ProfilerError: If it was not started.
        """
        if not self.running:
            raise ProfilerError(problem="this LookProbe does not run", remedy="start it first")
        self._pid = 0
        at_s = self._now()
        for watched in tuple(self._loops.values()):
            self._retire(watched, at_s=at_s)
        notes = tuple(self._notes(self._records, at_s=at_s))
        return summary([self._records], notes=notes, cost_s=self._cost_s)

    def on_tick(self, tick: Tick) -> None:
        """Look at the loops; for a sampler that shows its frames."""
        if self._fault or not self.running or not registry.imported():
            return
        try:
            self._see(tick)
        except Exception as error:  # noqa: BLE001 - what asyncio keeps private may change
            self._fault = f"watching event loops stopped early: {error!r}"

    def _see(self, tick: Tick) -> None:
        begun_s = time.thread_time()  # it runs in the sampler's thread, whose cost is bounded
        allowed = (1.0 - _COUNT_SHARE) * self._max_ratio
        self._credit_s += allowed * (tick.now_s - self._ticked_s)
        self._credit_s = min(self._credit_s, allowed * _CREDIT_S)
        self._tick_s += _SMOOTHING * (tick.now_s - self._ticked_s - self._tick_s)
        self._ticked_s = tick.now_s
        if self._credit_s <= 0.0:
            return
        if self._turns is None:
            self._turns = self._prepared()
        self._looks += 1
        if tick.now_s >= self._count_due_s:
            self._count(tick)
            counted_s = time.thread_time()
            self._count_due_s = tick.now_s + (counted_s - begun_s) / (
                _COUNT_SHARE * self._max_ratio
            )
        else:
            counted_s = begun_s
        self._look(tick, self._turns)
        ended_s = time.thread_time()
        self._spent(ended_s - counted_s)
        self._cost_s += ended_s - begun_s
        self._credit_s -= ended_s - counted_s

    def _spent(self, cost_s: float) -> None:
        """Choose how many tasks to follow from what it cost to follow so many."""
        followed = sum(watched.followed for watched in self._loops.values())
        if followed:
            self._each_s += _SMOOTHING * (cost_s / followed - self._each_s)
            allowed_s = (1.0 - _COUNT_SHARE) * self._max_ratio * self._tick_s
            affordable = int(allowed_s / self._each_s)
            self._quota = max(_LEAST_FOLLOWED, min(affordable, _MOST_FOLLOWED))

    def _look(self, tick: Tick, turns: Turns) -> None:
        for watched in tuple(self._loops.values()):
            loop = watched.loop()
            if loop is None or loop.is_closed():
                self._retire(watched, at_s=tick.now_s)
                continue
            frame, cpu_s = None, watched.cpu_s
            if watched.ident in tick.frames:
                frame = tick.frames[watched.ident]
                cpu_s = tick.cpu_s.get(watched.ident, time.process_time())
            watched.look(
                Moment(tick.now_s, self._looked_s, frame, cpu_s, tick.late_s),
                turns,
                running=turns.current_task(loop),
            )
        self._looked_s = tick.now_s

    def _retire(self, watched: Watched, *, at_s: float) -> None:
        """Put down what is known of a loop that has ended, and forget it."""
        del self._loops[watched.key]
        moment = Moment(at_s, self._looked_s, None, watched.cpu_s, 0.0)
        watched.finish(moment, into=self._records, watched_s=at_s - self._started_s)

    def _notes(self, records: Records, *, at_s: float) -> Iterator[str]:
        """Say what may have been missed."""
        if self._fault:
            yield self._fault
        if not records.tasks.times:
            return
        rate_hz = self._looks / (at_s - self._started_s)
        yield (
            f"tasks were looked at {rate_hz:.0f} times a second: times are estimates, and awaits "
            f"shorter than {1000 / rate_hz:.0f} ms are counted too rarely"
        )
        if records.ratio > 1.5:
            yield "to stay cheap only some tasks of each function were followed, for all"
        if records.foreign:
            yield "what blocks loops that are not asyncio's own (uvloop) is not seen"

    def _prepared(self) -> Turns:
        """Get ready once asyncio is imported."""
        from asyncio import events

        folder = str(Path(events.__file__).parent)
        self._setup.is_machinery = lambda code: code.co_filename.startswith(folder)
        return Turns()

    def _count(self, tick: Tick) -> None:
        """Find loops, count tasks, and choose which to follow."""
        passed_s, self._counted_s = tick.now_s - self._counted_s, tick.now_s
        for ident, loop in registry.running_loops(tick.frames):
            if loop is not None:
                self._watched(loop, tick).ident = ident
        known = [loop for watched in self._loops.values() if (loop := watched.loop()) is not None]
        found, each = registry.tasks(known, most=_MOST_COUNTED, start=self._rng.random())
        by_loop: dict[int, tuple[Any, list[Any]]] = {}
        for task in found:
            loop = task.get_loop()
            by_loop.setdefault(id(loop), (loop, []))[1].append(task)
        panels: list[Panel] = []
        for loop, some in by_loop.values():
            if not loop.is_closed():
                watched = self._watched(loop, tick)
                panels += watched.counted(some, each=each, passed_s=passed_s)
        middle_s, left = (self._looked_s + tick.now_s) / 2, self._quota
        # Rare functions first: none goes unseen because another one has thousands of tasks.
        panels.sort(key=lambda panel: len(panel.candidates))
        for number, panel in enumerate(panels):
            quota = max(1, left // (len(panels) - number))
            panel.choose(quota=quota, rng=self._rng, at_s=middle_s)
            left -= len(panel.followed)

    def _watched(self, loop: Any, tick: Tick) -> Watched:
        key = id(loop)
        watched = self._loops.get(key)
        if watched is not None and watched.loop() is not loop:  # another one had that address
            self._retire(watched, at_s=tick.now_s)
            watched = None
        if watched is None:
            ident = getattr(loop, "_thread_id", 0) or 0
            cpu_s = tick.cpu_s.get(ident, 0.0)
            watched = self._loops[key] = Watched(
                key,
                weakref.ref(loop),
                self._setup,
                cpu_s,
                ident=ident,
                foreign=not hasattr(loop, "_run_once"),
            )
        return watched
