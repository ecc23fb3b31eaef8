"""What a call costs: operations that the interpreter counts, and seconds on the CPU."""

from __future__ import annotations

import gc
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType, GeneratorType
from typing import Any

from perfwright.core import ProfilerError
from perfwright.profiling.sampling import clocks

Trace = Callable[[FrameType, str, Any], Any]


class TooMany(BaseException):
    """Ends a counted call from within; not an Exception, so that no code under it catches it."""


def count_operations(call: Callable[[], object], *, limit: int) -> int:
    """Count the lines and calls that `call` executes in this thread.

    Each turn of a loop or comprehension counts, and each call of a Python function, also from C.
    What C code does inside counts as nothing.

    Raises:
        TooMany: Above `limit`.
    """
    count = 0

    def trace(_frame: FrameType, _event: str, _arg: Any) -> Trace:
        nonlocal count
        count += 1
        if count > limit:
            raise TooMany
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = call()
        if type(result) is GeneratorType:
            deque(result, maxlen=0)
    finally:
        sys.settrace(before)
    return count


def c_calls(call: Callable[[], object]) -> dict[str, float]:
    """Sum up the seconds in C functions by name, such as `sort` or `insert`."""
    spent: dict[str, float] = defaultdict(float)
    started = 0.0
    clock = time.perf_counter

    def note(_frame: FrameType, event: str, arg: Any) -> None:
        nonlocal started
        if event == "c_call":
            started = clock()
        elif event == "c_return":
            spent[arg.__name__] += clock() - started

    if sys.getprofile() is not None:
        problem = "another profiler is active in this thread"
        raise ProfilerError(problem=problem, remedy="stop it first")
    sys.setprofile(note)
    try:
        _exhaust(call())
    finally:
        sys.setprofile(None)
    return spent


def cpu_seconds(calls: Sequence[Callable[[], object]]) -> float:
    """Return the CPU time of this thread for each of several calls of the same kind."""
    clock = time.thread_time  # the time of other threads and processes is not theirs
    started = clock()
    for call in calls:
        _exhaust(call())
    return (clock() - started) / len(calls)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One call by both clocks."""

    wall_s: float
    cpu_s: float
    gave_up: int
    """How often its thread went to sleep; 0 where the system does not tell."""


def waiting(call: Callable[[], object]) -> Waiting:
    """Run a call, and tell how much of its time it waited for something."""
    wall_s, cpu_s, waits = time.perf_counter(), time.thread_time(), clocks.waits()
    _exhaust(call())
    waits = clocks.waits() - waits
    return Waiting(time.perf_counter() - wall_s, time.thread_time() - cpu_s, waits)


def _exhaust(result: object) -> None:
    if type(result) is GeneratorType:  # calling it did nothing yet
        deque(result, maxlen=0)


@contextmanager
def no_collections() -> Iterator[None]:
    """Keep the garbage collector out of what is timed: its cost grows with what others hold."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
