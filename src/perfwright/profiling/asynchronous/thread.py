"""One thread that runs event loops, one after the other."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import takewhile
from types import FrameType
from typing import Any

from perfwright.profiling.asynchronous.blocks import Blocks, Looks, Place, stack_of
from perfwright.profiling.asynchronous.chain import calls
from perfwright.profiling.asynchronous.setup import Setup
from perfwright.profiling.asynchronous.tasks import Tasks

COST_EVERY = 64
"""One callback of about so many is timed for what watching costs: each would take 100 ns more."""


@dataclass(slots=True)
class LoopThread:
    """What was seen of one thread. To be made in that thread."""

    setup: Setup
    tasks: Tasks = field(init=False)
    blocks: Blocks = field(default_factory=Blocks)
    begun_s: float = 0.0
    """When the callback that runs now began; 0: none runs."""
    callback: Any = None
    """What runs now."""
    entered: bool = False
    """Watching began within the callback that runs now."""
    looks: Looks | None = None
    looked_s: float = 0.0
    cpu_s: float = 0.0
    """CPU time of the thread at `looked_s`."""
    callbacks: int = 0
    lag_max_s: float = 0.0
    cost_s: float = 0.0
    cost_at: int = COST_EVERY
    """Number of the callback that is timed next."""
    _clock: int | None = None

    def __post_init__(self) -> None:
        self.tasks = Tasks(self.setup)
        # Asked for in the thread itself: for one that has ended the answer is undefined, while a
        # clock of an ended thread is refused in order.
        if hasattr(time, "pthread_getcpuclockid"):
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self.looked_s, self.cpu_s = self.setup.now(), self._cpu_s()

    def ended(  # noqa: PLR0917 - hot
        self, callback: Any, begun_s: float, ended_s: float, *, last: bool = False
    ) -> None:
        """A callback has run from `begun_s` to `ended_s`; if it is the last, it still does."""
        took_s = ended_s - begun_s
        self.callbacks += 1
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, self.setup.task_types):
            self.tasks.stepped(owner, begun_s, ended_s, last=last)
        self.tasks.busy_s += took_s
        if took_s > self.lag_max_s:  # noqa: PLR1730 - `max` costs 60 ns more
            self.lag_max_s = took_s
        if took_s >= self.setup.block_s:
            self._blocked(callback, begun_s, took_s=took_s)
        if self.callbacks >= self.cost_at:
            self._account(ended_s)

    def _account(self, ended_s: float) -> None:
        # At random distances: the callbacks of a program come round in cycles.
        distance = self.setup.rng.randint(1, 2 * COST_EVERY - 1)
        self.cost_at = self.callbacks + distance
        self.cost_s += COST_EVERY * (self.setup.now() - ended_s)

    def _blocked(self, callback: Any, begun_s: float, *, took_s: float) -> None:
        looks = self.looks if self.looks and self.looks.begun_s == begun_s else None
        cpu_s = self._cpu_s()
        self.blocks.ended(
            looks,
            took_s=took_s,
            cpu_s=cpu_s,
            cpu_most_s=cpu_s - self.cpu_s,
            fallback=self._standing(callback) or _written(callback),
        )

    def _standing(self, callback: Any) -> tuple[Place, ...]:
        """Return where the task of a callback stands now, in code that is not asyncio's."""
        task: Any = getattr(callback, "__self__", None)
        if not isinstance(task, self.setup.task_types):
            return ()
        coroutine = task.get_coro()
        frames = (frame for _, frame, _ in calls(coroutine))
        own = takewhile(lambda frame: not self.setup.is_machinery(frame.f_code), frames)
        code = getattr(coroutine, "cr_code", None)
        last = ((code, code.co_firstlineno),) if code else ()
        return tuple((frame.f_code, frame.f_lineno) for frame in own) or last

    def look(self, frame: FrameType | None, *, now_s: float) -> None:
        """See where the thread is; from another thread."""
        begun_s, cpu_s = self.begun_s, self._cpu_s()
        if begun_s and now_s - begun_s >= self.setup.block_s / 2:
            stack = stack_of(frame, below=self.setup.machinery)
            looks = self.looks
            if looks is None or looks.begun_s != begun_s:
                looks = Looks(begun_s, max(begun_s, self.looked_s), self.cpu_s)
            # The callback may have ended while its stack was read.
            if stack and begun_s == self.begun_s:
                looks.add(stack, now_s=now_s, cpu_s=cpu_s)
                self.looks = looks
        self.looked_s, self.cpu_s = now_s, cpu_s

    def finish(self, *, at_s: float) -> None:
        """Count what has not ended."""
        if self.begun_s:
            self.ended(self.callback, self.begun_s, at_s, last=True)
        self.tasks.finish(at_s=at_s)

    def _cpu_s(self) -> float:
        if self._clock is None:
            return time.process_time()  # macOS has no clock per thread: an upper bound
        try:
            return time.clock_gettime(self._clock)
        except OSError:  # the thread has ended
            return self.cpu_s


def _written(callback: Any) -> tuple[Place, ...]:
    while hasattr(callback, "func"):  # functools.partial
        callback = callback.func
    code = getattr(callback, "__code__", None)
    return ((code, code.co_firstlineno),) if code else ()
