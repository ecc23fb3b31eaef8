"""The tasks and the loops of this process, found without putting anything in their way."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

MAX_DEPTH = 1_000
"""Frames of a thread among which a loop is looked for, from the innermost on."""


def imported() -> bool:
    """Whether there can be a loop at all; asyncio is not imported for the sake of looking.

    While another thread imports it, `__all__` is not there yet.
    """
    return hasattr(sys.modules.get("asyncio"), "__all__")


def tasks(loops: Iterable[Any], *, most: int, start: float) -> tuple[list[Any], float]:
    """Return tasks of all loops, and how many tasks each of them stands for.

    The registries are read in one call of C code each, as threads change them at any time.

    Args:
        loops: Those known to run; since 3.14 tasks are found through their loops.
        most: Tasks to return, about; of more, an even part is taken.
        start: 0 to 1: which part.
    """
    from asyncio import tasks as module

    found: list[Any] = []
    for name in ("_all_tasks", "_scheduled_tasks"):  # 3.11; since 3.12
        found += getattr(getattr(module, name, None), "data", ())
    if sys.version_info >= (3, 14):
        for loop in loops:
            found += module.all_tasks(loop)
    step = max(1, len(found) // most)
    # A set's order is that of addresses: as good as drawn.
    part = found[int(start * step) :: step]
    return [each for each in map(_task, part) if each is not None and not each.done()], float(step)


def _task(entry: Any) -> Any:
    return entry if hasattr(entry, "get_coro") else entry()


def running_loops(frames: Mapping[int, FrameType]) -> Iterator[tuple[int, Any]]:
    """Yield the identity of each thread that runs a loop of asyncio's own kind, and the loop."""
    from asyncio import base_events

    run_forever = base_events.BaseEventLoop.run_forever.__code__
    for ident, innermost in frames.items():
        frame: FrameType | None = innermost
        for _ in range(MAX_DEPTH):
            if frame is None:
                break
            if frame.f_code is run_forever:
                yield ident, frame.f_locals.get("self")
                break
            frame = frame.f_back


class Turns:
    """Reads from a loop's own frame which callback it runs."""

    def __init__(self) -> None:
        from asyncio import base_events, events, tasks

        self.current_task = tasks.current_task
        run_once: Any = base_events.BaseEventLoop._run_once  # type: ignore[attr-defined]
        self._run_once: CodeType = run_once.__code__
        self._events: Any = events
        self.machinery = frozenset((self._run_once, events.Handle._run.__code__))

    def callback(self, frame: FrameType | None) -> tuple[float, int] | None:
        """Name the callback that a thread is in: when its round began, and its place in it.

        The round began by the loop's own clock. None: the thread is in no callback.
        """
        inner: FrameType | None = None
        while frame is not None and frame.f_code is not self._run_once:
            inner, frame = frame, frame.f_back
        if frame is None or inner is None or inner.f_code is not self._events.Handle._run.__code__:
            return None
        names = frame.f_locals
        round_s, place = names.get("end_time"), names.get("i")
        if not isinstance(round_s, float) or not isinstance(place, int):
            return None
        return round_s, place
