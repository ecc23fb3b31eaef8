"""How often each function was called, by whom, and for how long: cProfile as a probe."""

from __future__ import annotations

import cProfile
import gc
import inspect
import os
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import CodeType, FrameType
from typing import Any

from perfwright.core.errors import ProfilerError
from perfwright.profiling.code import c_function, function_of
from perfwright.profiling.growing_texts import COPIES_TEXT
from perfwright.profiling.main_thread import call_soon
from perfwright.profiling.model import Call, Function

_EVERY_THREAD = sys.version_info >= (3, 12)
"""Since 3.12 cProfile stands on `sys.monitoring`, which tells it of all threads at once."""

_YIELDS = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_DISABLE = c_function("<method 'disable' of '_lsprof.Profiler' objects>")
_running: set[CallCounter] = set()
_REMEDY = "stop the other profiler, tracer or debugger first, or sample instead of counting"


class CallCounter:
    """Counts every call of every function, C functions included, with its caller.

    All times are dilated, those of short functions most: read counts and shares, not seconds. Each
    resumption of a coroutine or generator counts as a call; `started_calls` takes those of
    coroutines out again. Before Python 3.12 a thread that runs
    already when counting starts is not seen, and one that is still running when it stops pays for
    its counter until it ends. From 3.12 all threads are seen by one counter, which takes a thread's
    call for one of the thread that ran before it: counts are right, callers and times may not be.
    """

    def __init__(self, *, threads: bool = True) -> None:
        self._threads = threads and not _EVERY_THREAD
        self._profiles: list[cProfile.Profile] = []
        self._own: cProfile.Profile | None = None
        self._rests = False
        self._starter = threading.current_thread()

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
        self._rests = False
        self._starter = threading.current_thread()
        _running.add(self)

    def total(self) -> int:
        """Return how many calls have ended so far, in all threads; from any thread."""
        was_on = gc.isenabled()
        # A finalizer that the collector runs could let the counted thread change what is read.
        gc.disable()
        try:
            return sum(e.callcount for profile in self._profiles for e in profile.getstats())
        finally:
            if was_on:
                gc.enable()

    def pause(self) -> None:
        """Count no more; what was counted is read by `stop`.

        Raises:
            ProfilerError: In another thread than the one that started, if that one still runs:
                before Python 3.12 only a thread itself can end its counting.
        """
        if self._own is None:
            return
        starter = self._starter
        if not _EVERY_THREAD and starter is not threading.current_thread() and starter.is_alive():
            raise ProfilerError(
                problem=f"calls are counted in the thread {starter.name!r}, and this is another",
                remedy="stop where it was started, or sample instead of counting",
            )
        self._own.disable()

    def stop(self) -> tuple[Call, ...]:
        """Stop in the thread that started, and return what was counted, costliest first.

        Raises:
            ProfilerError: If it was not started, or was started in another thread (see `pause`).
        """
        if self._own is None:
            raise ProfilerError(problem="this CallCounter does not run", remedy="start it first")
        self.pause()
        self._own = None
        _running.discard(self)
        if self._threads and threading.getprofile() == self._enter_thread:
            threading.setprofile(None)
        profiles, self._profiles = self._profiles, []
        return calls_of(entry for profile in profiles for entry in profile.getstats())

    def rest(self, ident: int) -> bool:
        """Count no calls of a thread until `go_on`; False unless it is the main thread's turn.

        Args:
            ident: By `threading.get_ident()`. No other thread than the main one can be told.
        """
        is_main = ident == threading.main_thread().ident == self._starter.ident
        if not (is_main and COPIES_TEXT) or self._rests or self._own is None:
            return False
        self._rests = True  # before the main thread is told: it may be quick
        self._rests = call_soon(self._rest_here)
        return self._rests

    def go_on(self, ident: int) -> None:
        """Count the calls of a thread again; what it is within by then is nobody's call."""
        if ident == threading.get_ident():
            self._go_on_here()
        else:
            call_soon(self._go_on_here)

    def _rest_here(self) -> None:
        if self._own is not None and self._rests:
            self._own.disable()

    def _go_on_here(self) -> None:
        if self._own is not None and self._rests:
            self._rests = False
            self._own.enable()

    def _enter_thread(self, _frame: FrameType, _event: str, _arg: object) -> None:
        # First event in a new thread. A cProfile.Profile serves one thread before 3.12, so each
        # gets its own.
        sys.setprofile(None)
        if self._own is None:
            return
        profile = cProfile.Profile()
        self._profiles.append(profile)
        profile.enable()

    def _forget(self) -> None:
        """In a forked child: nobody will ask for the result, and the child must not be slowed."""
        for profile in self._profiles:
            profile.disable()  # of the one thread that is left, whichever counter is its own
        if self._threads and threading.getprofile() == self._enter_thread:
            threading.setprofile(None)
        self._own, self._profiles = None, []


def calls_of(entries: Iterable[Any]) -> tuple[Call, ...]:
    """Turn entries of `cProfile.Profile.getstats` into calls, greatest own time first.

    The outermost call of a thread has no caller. A function that calls itself has no cumulative
    time as its own caller: it is within that of the outer call, and so the sum over all callers is
    the time of the function.
    """
    sums: defaultdict[tuple[Function | None, Function], _Edge] = defaultdict(_Edge)
    yielding = set[Function]()
    for entry in entries:
        callee = _function(entry.code)
        if isinstance(entry.code, CodeType) and entry.code.co_flags & _YIELDS:
            yielding.add(callee)
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
            yields=callee in yielding,
        )
        for (caller, callee), edge in sums.items()
        if edge.count > 0 and not (_is_own(callee) or (caller and _is_own(caller)))
    )
    return tuple(sorted(calls, key=lambda call: -call.self_s))


def started_calls(calls: Iterable[Call], resumed: Mapping[Function, int]) -> tuple[Call, ...]:
    """Take resumptions out of the counts, evenly from all callers of a function.

    Args:
        calls: As counted, each resumption of a coroutine as a call.
        resumed: How often calls of each coroutine function went on after an await.
    """
    calls = tuple(calls)
    entered = Counter[Function]()
    for call in calls:
        entered[call.callee] += call.count
    seen = Counter[Function]()

    def started(upto: int, function: Function) -> int:
        """Of the first `upto` times that the function was entered."""
        every = entered[function]
        return round(upto * max(1, every - resumed[function]) / every)

    def corrected(call: Call) -> Call:
        function = call.callee
        if function not in resumed or call.yields:
            return call
        before = seen[function]
        seen[function] += call.count
        count = started(seen[function], function) - started(before, function)
        return replace(call, count=count)

    return tuple(corrected(call) for call in calls)


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


def _forget_in_child() -> None:
    for counter in tuple(_running):
        counter._forget()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
