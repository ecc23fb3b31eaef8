"""How often each function was called, by whom, and for how long: cProfile as a probe."""

from __future__ import annotations

import cProfile
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from perfwright.core.errors import ProfilerError
from perfwright.profiling.code import c_function, function_of
from perfwright.profiling.model import Call, Function

_EVERY_THREAD = sys.version_info >= (3, 12)
"""Since 3.12 cProfile stands on `sys.monitoring`, which tells it of all threads at once."""

_DISABLE = c_function("<method 'disable' of '_lsprof.Profiler' objects>")
_REMEDY = "stop the other profiler, tracer or debugger first, or sample instead of counting"


class CallCounter:
    """Counts every call of every function, C functions included, with its caller.

    All times are dilated, those of short functions most: read counts and shares, not seconds. Each
    resumption of a coroutine or generator counts as a call. Before Python 3.12 a thread that runs
    already when counting starts is not seen, and one that is still running when it stops pays for
    its counter until it ends. From 3.12 all threads are seen by one counter, which takes a thread's
    call for one of the thread that ran before it: counts are right, callers and times may not be.
    """

    def __init__(self, *, threads: bool = True) -> None:
        self._threads = threads and not _EVERY_THREAD
        self._profiles: list[cProfile.Profile] = []
        self._own: cProfile.Profile | None = None

    @property
    def running(self) -> bool:
        """Whether calls are being counted."""
        return self._own is not None

    def start(self) -> None:
        """Count from now on, in this thread and in those that it starts.

        Raises:
            ProfilerError: If this or another profiler is at work already.
        """
        if self._own is not None:
            raise ProfilerError(problem="this CallCounter runs already", remedy="stop it first")
        if sys.getprofile() is not None or (self._threads and threading.getprofile() is not None):
            raise ProfilerError(problem="another profiler is active", remedy=_REMEDY)
        own = cProfile.Profile()
        if self._threads:
            threading.setprofile(self._enter_thread)
        try:
            own.enable()
        except ValueError as error:
            raise ProfilerError(problem="another profiler is active", remedy=_REMEDY) from error
        self._profiles, self._own = [own], own

    def stop(self) -> tuple[Call, ...]:
        """Stop in the thread that started, and return what was counted, costliest first.

        Raises:
            ProfilerError: If it was not started.
        """
        own = self._own
        if own is None:
            raise ProfilerError(problem="this CallCounter does not run", remedy="start it first")
        own.disable()
        self._own = None
        if self._threads and threading.getprofile() == self._enter_thread:
            threading.setprofile(None)
        profiles, self._profiles = self._profiles, []
        return calls_of(entry for profile in profiles for entry in profile.getstats())

    def _enter_thread(self, _frame: FrameType, _event: str, _arg: object) -> None:
        # First event in a new thread. A cProfile.Profile serves one thread before 3.12, so each
        # gets its own.
        sys.setprofile(None)
        if self._own is None:
            return
        profile = cProfile.Profile()
        self._profiles.append(profile)
        profile.enable()


def calls_of(entries: Iterable[Any]) -> tuple[Call, ...]:
    """Turn entries of `cProfile.Profile.getstats` into calls, greatest own time first.

    The outermost call of a thread has no caller. A function that calls itself has no cumulative
    time as its own caller: it is within that of the outer call, and so the sum over all callers is
    the time of the function.
    """
    sums: defaultdict[tuple[Function | None, Function], _Edge] = defaultdict(_Edge)
    for entry in entries:
        callee = _function(entry.code)
        sums[None, callee].add(entry.callcount, entry.inlinetime, entry.totaltime)
        for sub in entry.calls or ():
            called = _function(sub.code)
            total_s = 0.0 if called == callee else sub.totaltime
            sums[callee, called].add(sub.callcount, sub.inlinetime, total_s)
            sums[None, called].add(-sub.callcount, -sub.inlinetime, -total_s)
    calls = (
        # A function in a cycle of calls is counted once per caller: less than nothing may be left.
        Call(
            caller=caller,
            callee=callee,
            count=edge.count,
            self_s=max(0.0, edge.self_s),
            cumulative_s=max(0.0, edge.total_s),
        )
        for (caller, callee), edge in sums.items()
        if edge.count > 0 and not (_is_own(callee) or (caller and _is_own(caller)))
    )
    return tuple(sorted(calls, key=lambda call: -call.self_s))


@dataclass(slots=True)
class _Edge:
    count: int = 0
    self_s: float = 0.0
    total_s: float = 0.0

    def add(self, count: int, self_s: float, total_s: float) -> None:  # noqa: PLR0917 - the three numbers of an edge
        self.count += count
        self.self_s += self_s
        self.total_s += total_s


def _function(code: CodeType | str) -> Function:
    return c_function(code) if isinstance(code, str) else function_of(code)


def _is_own(function: Function) -> bool:
    return function.file == __file__ or function == _DISABLE
