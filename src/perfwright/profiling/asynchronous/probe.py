"""A probe on every event loop of the process, whenever and wherever it was started."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.asynchronous.hook import Hook, foreign_loops
from perfwright.profiling.asynchronous.summary import summary
from perfwright.profiling.model import Async
from perfwright.profiling.watcher import Watcher

if TYPE_CHECKING:
    from perfwright.core import Clock

_active: AsyncProbe | None = None
_lock = threading.Lock()
_CAP_EVERY_S = 0.5
"""Time over which the cost is compared with its bound."""


class Tick(Protocol):
    """What a sampler shows of all threads at one moment."""

    @property
    def now_s(self) -> float:
        """Seconds on the machine's monotonic clock."""

    @property
    def frames(self) -> Mapping[int, FrameType]:
        """Innermost frame of each thread, by its identity."""


@dataclass(frozen=True, slots=True)
class _Look:
    now_s: float
    frames: Mapping[int, FrameType]


class AsyncProbe:
    """Times the steps and the awaits of all tasks, and sees what blocks a loop.

    It wraps the one method through which asyncio's own loops run every callback, in all threads;
    so it may be started before a loop, inside it or beside it. Another thread looks at a callback
    that takes long while it still runs. Loops that are not asyncio's (uvloop) are not seen; the
    result says so.

    Args:
        awaits: See at which awaits tasks stand, for how long, and in which order. It is most of the
            cost of the probe.
        block_s: A callback that holds its loop for longer counts as blocking, in seconds.
        max_cost_ratio: Bound of what watching may take of the time that passes, 0 to 1. Beyond it
            the awaits are given up first, then the rest; the result says so. None: no bound.
        interval_s: Between two looks at the loops, in seconds.
        watch: Look from an own thread; else hand `on_tick` to something that looks already, such
            as a `Sampler`.
        clock: For tests; the machine's by default.
        rng: Chooses the callbacks whose cost is measured.

    Raises:
        ConfigError: If a number is not above 0.
    """

    def __init__(
        self,
        *,
        awaits: bool = True,
        block_s: float = 0.01,
        max_cost_ratio: float | None = None,
        interval_s: float = 0.005,
        watch: bool = True,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        for field, value in (
            ("block_s", block_s),
            ("interval_s", interval_s),
            ("max_cost_ratio", 1 if max_cost_ratio is None else max_cost_ratio),
        ):
            if not value > 0:
                raise ConfigError(field=field, value=value, problem="is not above 0")
        self._awaits, self._block_s, self._max_cost_ratio = awaits, block_s, max_cost_ratio
        # The machine's clock itself: a method of ours around it adds 60 ns, twice a step.
        self._now: Callable[[], float] = time.perf_counter if clock is None else clock.now
        self._rng = rng or Random()
        self._watcher = Watcher(self._look, interval_s=interval_s, name="perfwright-loops")
        self._watch = watch
        self._hook: Hook | None = None
        self._notes: list[str] = []
        self._measured_s = self._measured_cost_s = 0.0

    @property
    def running(self) -> bool:
        """Whether loops are being watched."""
        return self._hook is not None

    # --- Running ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Watch all loops from now on, those that run already too.

        Raises:
            ProfilerError: If a probe of this kind is running in this process.
        """
        global _active  # noqa: PLW0603 - a process has one `Handle._run`, hence one probe
        with _lock:
            if _active is not None:
                raise ProfilerError(
                    problem="an AsyncProbe is running in this process",
                    remedy="stop it first; one sees all loops of all threads",
                )
            _active = self
        self._notes = []
        self._measured_s, self._measured_cost_s = self._now(), 0.0
        self._hook = Hook(
            now=self._now,
            block_s=self._block_s,
            awaits=self._awaits,
            rng=self._rng,
            failed=self._failed,
        )
        if self._watch:
            self._watcher.start()

    def stop(self) -> Async:
        """Watch no longer, and return what was seen.

        Raises:
            ProfilerError: If it was not started.
        """
        hook = self._hook
        if hook is None:
            raise ProfilerError(problem="this AsyncProbe does not run", remedy="start it first")
        now_s = self._now()
        self._release()
        cost_s = self._watcher.stop()
        threads = list(hook.threads.values())
        for thread in threads:
            thread.finish(at_s=now_s)
        return summary(threads, notes=(*self._notes, *foreign_loops()), cost_s=cost_s)

    def on_tick(self, tick: Tick) -> None:
        """Look at the loops; for a sampler that shows its frames."""
        hook = self._hook
        if hook is not None:
            for ident, thread in tuple(hook.threads.items()):
                thread.look(tick.frames.get(ident), now_s=tick.now_s)
            if self._max_cost_ratio is not None:
                self._cap(hook, now_s=tick.now_s)

    def _look(self) -> None:
        self.on_tick(_Look(self._now(), sys._current_frames()))

    def _cap(self, hook: Hook, *, now_s: float) -> None:
        """Do less if it costs too much."""
        passed_s, cost_s = now_s - self._measured_s, hook.cost_s - self._measured_cost_s
        if passed_s < _CAP_EVERY_S or not hook.active:
            return
        self._measured_s, self._measured_cost_s = now_s, hook.cost_s
        ratio = cost_s / passed_s
        if ratio <= (self._max_cost_ratio or ratio):
            return
        if hook.setup.awaits:
            hook.setup.awaits = False
            self._notes.append(f"awaits were given up: watching took {ratio:.1%} of the time")
        else:
            hook.remove()
            self._notes.append(f"watching ended early: it took {ratio:.1%} of the time")

    # --- Ends -------------------------------------------------------------------------------------

    def _release(self) -> None:
        global _active  # noqa: PLW0603 - see start
        if self._hook is not None:
            self._hook.remove()
        self._hook = None
        with _lock:
            if _active is self:
                _active = None

    def _failed(self, error: Exception) -> None:
        self._notes.append(f"watching event loops stopped early: {error!r}")
        if self._hook is not None:
            self._hook.remove()


def _forget_in_child() -> None:
    """A forked child has neither the watcher nor anyone to ask for the result."""
    global _lock  # noqa: PLW0603 - another thread may have held it at the fork
    _lock = threading.Lock()
    if _active is not None:
        _active._release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
