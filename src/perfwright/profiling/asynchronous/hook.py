"""The one place through which asyncio's loops run every callback."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from random import Random
from types import MethodType
from typing import Any

from perfwright.profiling.asynchronous.setup import Setup
from perfwright.profiling.asynchronous.thread import LoopThread


class Hook:
    """Wraps `asyncio.Handle._run` for all loops of the process, those that run already too."""

    def __init__(
        self,
        *,
        now: Callable[[], float],
        block_s: float,
        awaits: bool,
        rng: Random,
        failed: Callable[[Exception], None],
    ) -> None:
        from asyncio import base_events, events, tasks

        self.threads: dict[int, LoopThread] = {}
        self._now = now
        self.active = True
        self._original = events.Handle._run
        self._run = self._wrapped(failed)
        folder = str(Path(events.__file__).parent)
        run_once: Any = base_events.BaseEventLoop._run_once  # type: ignore[attr-defined]
        self.setup = Setup(
            now=now,
            block_s=block_s,
            awaits=awaits,
            rng=rng,
            started_s=now(),
            task_types=tuple({tasks.Task, tasks._PyTask}),  # type: ignore[attr-defined]
            machinery=frozenset((self._run.__code__, self._original.__code__, run_once.__code__)),
            is_machinery=lambda code: code.co_filename.startswith(folder),
        )
        events.Handle._run = self._run  # type: ignore[method-assign, assignment]
        self._enter()

    @property
    def cost_s(self) -> float:
        """What watching has cost so far, in seconds, as far as it happens in the loops."""
        return sum(thread.cost_s for thread in tuple(self.threads.values()))

    def remove(self) -> None:
        """Leave the loops as they were, if nobody else has wrapped them since."""
        from asyncio import events

        self.active = False
        if events.Handle._run is self._run:
            events.Handle._run = self._original  # type: ignore[method-assign]

    def _wrapped(self, failed: Callable[[Exception], None]) -> Callable[[Any], None]:
        original, threads, ident = self._original, self.threads, threading.get_ident
        now = self._now

        def run(handle: Any) -> None:
            if not self.active:
                return original(handle)
            thread = threads.get(ident()) or self._meet(handle._loop)
            if thread.entered:
                self._left(thread)
            callback, outer_s = handle._callback, thread.begun_s
            thread.callback = callback
            thread.begun_s = begun_s = now()
            try:
                return original(handle)
            finally:
                ended_s = now()
                thread.begun_s = outer_s  # of the callback in which this loop runs (nest_asyncio)
                if self.active:
                    try:
                        thread.ended(callback, begun_s, ended_s)
                    except Exception as error:  # noqa: BLE001 - a probe must not break its loop
                        failed(error)

        return run

    def _meet(self, loop: Any) -> LoopThread:
        """Begin to watch this thread, with the tasks that waited when watching began."""
        from asyncio import tasks

        thread = self.threads[threading.get_ident()] = LoopThread(self.setup)
        for task in tasks.all_tasks(loop):
            thread.tasks.meet(task, since_s=self.setup.started_s)
        return thread

    def _enter(self) -> None:
        """Watch the callback that we are called in, if we are in one."""
        from asyncio import base_events, events, tasks

        loop = events._get_running_loop()
        if not isinstance(loop, base_events.BaseEventLoop):
            return
        thread = self._meet(loop)
        thread.callback = MethodType(int, tasks.current_task(loop))
        thread.begun_s, thread.entered = self.setup.started_s, True
        loop.call_soon(
            int
        )  # the next callback ends this one; without it, only the next event would

    def _left(self, thread: LoopThread) -> None:
        thread.entered, begun_s, thread.begun_s = False, thread.begun_s, 0.0
        thread.ended(thread.callback, begun_s, self._now())


def foreign_loops() -> list[str]:
    """Say which event loops exist that are not asyncio's own."""
    from asyncio import base_events, events

    # In one call of C code: a tuple held here that another thread is building would break.
    kinds = set(map(type, chain.from_iterable(map(gc.get_objects, range(3)))))
    return sorted(
        f"event loops of {kind.__module__} run callbacks in their own way and were not seen; "
        "use asyncio's own loop while profiling"
        for kind in kinds
        if issubclass(kind, events.AbstractEventLoop)
        and not issubclass(kind, base_events.BaseEventLoop)
    )
