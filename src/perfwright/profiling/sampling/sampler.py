"""A thread that looks at all others, a hundred times a second."""

from __future__ import annotations

import _thread
import math
import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Literal, Self

from perfwright.core import Clock, SystemClock
from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.model import SamplerCost, Stack
from perfwright.profiling.sampling import clocks
from perfwright.profiling.sampling.ledger import Held
from perfwright.profiling.sampling.pace import Pace
from perfwright.profiling.sampling.placement import Placement
from perfwright.profiling.sampling.roster import Roster
from perfwright.profiling.sampling.switching import SwitchInterval, setting

_JOIN_LIMIT_S = 5.0
_STARVED_S = 0.002
"""Wait for the interpreter after which the sampler may be on the wrong processor."""

_live: weakref.WeakSet[Sampler] = weakref.WeakSet()
_own: set[int] = set()
"""Threads of samplers: none looks at another."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One look, while the interpreter is held: the frames do not move. Keep none of them."""

    now_s: float
    """By the sampler's clock."""
    frames: Mapping[int, FrameType]
    """Innermost frame of each thread, by `threading.get_ident()`; without samplers' own."""
    cpu_s: Mapping[int, float]
    """CPU that each thread has had so far; a thread is absent where the system does not tell."""
    late_s: float = 0.0
    """How long the look was due before the interpreter was to be had."""


class Sampler:
    """Samples the stacks of this process from a thread of its own.

    Args:
        rate_hz: Looks per second, 1 to 1000; fewer are taken where they would cost too much.
        max_cost_ratio: Most CPU that sampling may take, as a share (0 to 1) of the time that
            passes. A second's worth of it may be spent at once.
        threads: `"all"`, `"current"` (the one that calls `start`), or identifiers of threads.
        max_stacks: Distinct stacks that are kept; further ones lose their outer frames.
        on_tick: Called at each look, in the sampler's thread; what raises is not called again.
        clock: Seconds.
        rng: Moves each look off the beat, so that a program in step with it is seen fairly.

    Raises:
        ConfigError: If a value is out of its range.
    """

    def __init__(
        self,
        rate_hz: float = 100.0,
        *,
        max_cost_ratio: float = 0.01,
        threads: Literal["all", "current"] | Collection[int] = "all",
        max_stacks: int = 20_000,
        on_tick: Collection[Callable[[Tick], None]] = (),
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        _check("rate_hz", rate_hz, least=1.0, most=1000.0)
        _check("max_cost_ratio", max_cost_ratio, least=1e-6, most=1.0)
        _check("max_stacks", max_stacks, least=1, most=10_000_000)
        self._wanted_hz, self._max_ratio = float(rate_hz), float(max_cost_ratio)
        self._threads, self._max_stacks = _checked_threads(threads), max_stacks
        self._hooks = list(on_tick)
        self._only: Collection[int] | None = None
        self._final: tuple[Stack, ...] = ()
        self._now = (clock or SystemClock()).now
        self._rng = rng or random.Random()
        self.hook_errors: list[Exception] = []
        """What hooks raised; each of them was called no more."""
        self._running = False
        self._clear()

    def start(self) -> None:
        """Begin to look.

        Raises:
            ProfilerError: If it runs already, or if this interpreter has no lock (GIL) that makes
                the frames of other threads stand still.
        """
        if not getattr(sys, "_is_gil_enabled", lambda: True)():
            raise ProfilerError(
                problem="this interpreter runs without its lock, so frames cannot be read safely",
                remedy="use profile_pid from another process, or set PYTHON_GIL=1",
            )
        if self._running:
            raise ProfilerError(
                problem="the sampler runs already", remedy="stop it first, or use another one"
            )
        self._clear()
        _watch_forks(self)
        if self._threads == "current":
            self._only = {threading.get_ident()}
        elif not isinstance(self._threads, str):
            self._only = self._threads
        self._running, self._starter = True, threading.get_native_id()
        # Not a threading.Thread: those are traced and profiled by whoever asked for all threads.
        _thread.start_new_thread(self._loop, ())
        self._begun.acquire(True, _JOIN_LIMIT_S)

    def stop(self) -> tuple[Stack, ...]:
        """Look no more.

        Returns:
            Everything seen since `start`; the same again if called again.
        """
        if self._running:
            self._until_s = self._now()
            self._running = False
            self._stop.release()
            self._ended.acquire(True, _JOIN_LIMIT_S)
            with self._lock:
                self._final = self._roster.stacks()
        return self._final

    def stacks(self) -> tuple[Stack, ...]:
        """Return what was seen so far; the sampler goes on."""
        if not self._running:
            return self._final
        with self._lock:
            return self._roster.stacks()

    @property
    def running(self) -> bool:
        """Whether it looks now."""
        return self._running

    @property
    def cost(self) -> SamplerCost:
        """What sampling has taken so far."""
        return SamplerCost(
            cpu_s=self._cpu_s,
            rate_hz=1.0 / self._pace.period_s,
            wanted_hz=self._wanted_hz,
            missed_s=self._missed_s,
        )

    @property
    def truncated_samples(self) -> int:
        """Samples whose stack was cut, as there were more than `max_stacks` distinct ones."""
        return self._roster.truncated_samples

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    def _clear(self) -> None:
        self._lock = threading.Lock()
        self._begun, self._stop, self._ended = _locked(), _locked(), _locked()
        self._roster = Roster(self._max_stacks)
        self._pace = Pace(self._wanted_hz, max_cost_ratio=self._max_ratio)
        self._only, self._final = None, ()
        self._cpu_s = self._missed_s = 0.0
        self._until_s = math.inf

    def _loop(self) -> None:
        ident = threading.get_ident()
        _own.add(ident)
        try:
            self._look_until_stopped()
        finally:
            _own.discard(ident)
            self._ended.release()

    def _look_until_stopped(self) -> None:
        now, switch = self._now, SwitchInterval()
        placement = Placement(self._starter)
        self._roster.begin(self._frames())
        upto_s = seen_s = now()
        due_s = upto_s + self._pace.period_s * self._rng.random()
        late = look_s = 0.0
        self._begun.release()
        while True:
            switch.shorten(busy_threads=self._roster.busy, late=late, look_s=look_s)
            waits = clocks.waits()
            # The lock is a sleep that `stop` can end, and a single call of C code.
            stopped = self._stop.acquire(True, max(0.0, due_s - now()))
            waits = clocks.waits() - waits
            switch.restore()
            if stopped:
                break
            at_s = now()
            if at_s < due_s:
                continue
            if at_s > self._until_s:  # it would see no more than `stop`
                break
            late_s, before_s, upto_s = at_s - due_s, upto_s, due_s
            # A moment of C code that kept the interpreter: all looks that were due in it find the
            # same. The last ones do not count, as a thread that runs would not yet have let go.
            while due_s <= at_s:
                if due_s <= at_s - switch.asked_s:
                    upto_s = due_s
                due_s += self._pace.period_s * (0.5 + self._rng.random())
            self._look(
                at_s,
                wall_s=upto_s - before_s,
                tail=(at_s - upto_s) / (at_s - seen_s),
                held=Held(min(max(waits - 1, 0), Held.FORCED)),
                late_s=late_s,
            )
            placement.follow(self._roster.busiest, starved=late_s > _STARVED_S)
            late, passed_s, seen_s = late_s / (at_s - seen_s), at_s - seen_s, at_s
            if late_s > self._pace.period_s:
                self._missed_s += late_s
            self._count_cost(passed_s)
            look_s = now() - at_s
        with self._lock:
            # Its thread may get the interpreter or a processor long after it was told to stop.
            self._roster.finish(max(0.0, min(now(), self._until_s) - upto_s))
        self._count_cost(0.0)

    def _frames(self) -> dict[int, FrameType]:
        frames, only = sys._current_frames(), self._only
        if only is None:
            for ident in _own:
                frames.pop(ident, None)
            return frames
        return {ident: frame for ident, frame in frames.items() if ident in only}

    def _look(self, at_s: float, *, wall_s: float, tail: float, held: Held, late_s: float) -> None:
        frames = self._frames()
        with self._lock:
            self._roster.look(frames, wall_s=wall_s, tail=tail, held=held)
        if self._hooks:
            self._call_hooks(Tick(at_s, frames, self._roster.cpu_s(), late_s))

    def _call_hooks(self, tick: Tick) -> None:
        for hook in tuple(self._hooks):
            try:
                hook(tick)
            except Exception as error:  # noqa: BLE001 - one probe's fault must not blind the others
                self.hook_errors.append(error)
                self._hooks.remove(hook)

    def _count_cost(self, passed_s: float) -> None:
        cpu_s = time.thread_time()  # of the sampler's own thread: it is the thing measured
        self._pace.spent(cpu_s - self._cpu_s, passed_s=passed_s)
        self._cpu_s = cpu_s

    def _forget(self) -> None:
        """In a child after a fork: the thread is the parent's, and so is what it saw."""
        self._running = False
        self._clear()


def _locked() -> _thread.LockType:
    lock = _thread.allocate_lock()
    lock.acquire()
    return lock


def _check(field: str, value: float, *, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(field=field, value=value, problem="must be a number")
    if not least <= value <= most:
        raise ConfigError(field=field, value=value, problem=f"must be from {least:g} to {most:g}")


def _checked_threads(threads: str | Collection[int]) -> str | frozenset[int]:
    known = threads in {"all", "current"} if isinstance(threads, str) else _are_idents(threads)
    if not known:
        problem = "must be 'all', 'current', or identifiers of threads"
        raise ConfigError(field="threads", value=threads, problem=problem)
    return threads if isinstance(threads, str) else frozenset(threads)


def _are_idents(threads: object) -> bool:
    return isinstance(threads, Collection) and all(isinstance(ident, int) for ident in threads)


_forks_watched = False


def _watch_forks(sampler: Sampler) -> None:
    global _forks_watched  # noqa: PLW0603 - a handler cannot be taken back, so it is set once
    _live.add(sampler)
    if not _forks_watched and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
        _forks_watched = True


def _after_fork() -> None:
    _own.clear()
    setting.want_none()
    for sampler in tuple(_live):
        sampler._forget()
