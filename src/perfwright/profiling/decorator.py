"""Profiling the calls of one function."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast, overload

from perfwright.core import ConfigError, ProfilerError
from perfwright.profiling.profiler import Mode, Profiler, check_top_n

F = TypeVar("F", bound=Callable[..., Any])
Report = Callable[[str], object]
"""What is done with the text of a report."""
_LOG = logging.getLogger(__name__)
_turn = threading.Lock()
"""Whoever holds it is being profiled."""


def to_standard_error(text: str) -> None:
    """Show a report where it does not mix with what the program prints, if it has such a place."""
    if sys.stderr is None or sys.stderr.closed:  # a program without a console
        return
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


@overload
def profile(function: F, /) -> F: ...


@overload
def profile(
    *,
    enable_cpu: bool = True,
    enable_memory: bool = True,
    enable_async: bool = True,
    mode: Mode = "deterministic",
    own: Sequence[str | Path] = (),
    top_n: int = 10,
    report: Report | None = to_standard_error,
) -> Callable[[F], F]: ...


def profile(
    function: F | None = None,
    /,
    *,
    enable_cpu: bool = True,
    enable_memory: bool = True,
    enable_async: bool = True,
    mode: Mode = "deterministic",
    own: Sequence[str | Path] = (),
    top_n: int = 10,
    report: Report | None = to_standard_error,
) -> F | Callable[[F], F]:
    """Profile the calls of a function, plain or `async`, and report when a call ends.

    One call at a time: those that begin while a profiled call runs, within it or beside it, are
    seen in its profile. The decorated function has an attribute `profiler`, the `Profiler` of the
    last profiled call, or None.

    Args:
        function: Given where the decorator is written without parentheses.
        enable_cpu: As for `Profiler`, like the four that follow.
        enable_memory: See there.
        enable_async: See there.
        mode: See there.
        own: See there.
        top_n: How many bottlenecks a report shows.
        report: Is given the text; by default it goes to standard error. None: no report. If it
            raises, that is logged: the call has its own result or exception in any case.

    Raises:
        ConfigError: If a setting cannot be used, or what is decorated yields, is a class or cannot
            be called.
    """

    def new_profiler() -> Profiler:
        return Profiler(
            enable_cpu=enable_cpu,
            enable_memory=enable_memory,
            enable_async=enable_async,
            mode=mode,
            own=own,
        )

    def decorate(inner: F) -> F:
        return _decorated(inner, new_profiler, report=report, top_n=top_n)

    check_top_n(top_n)
    if report is not None and not callable(report):
        raise ConfigError(field="report", value=report, problem="is no function of a text")
    new_profiler()  # refuses bad settings here rather than in the first call
    return decorate if function is None else decorate(function)


def _decorated(
    inner: F, new_profiler: Callable[[], Profiler], *, report: Report | None, top_n: int
) -> F:
    given: object = inner
    if not callable(given) or isinstance(given, type):
        problem = "is no function: decorate a function or a method"
        raise ConfigError(field="profile", value=inner, problem=problem)
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        problem = "yields: profile what consumes it, by `with Profiler() as profiler:`"
        raise ConfigError(field="profile", value=inner.__qualname__, problem=problem)

    @contextmanager
    def profiled() -> Iterator[None]:
        turn = _turn
        if not turn.acquire(blocking=False):
            yield  # a part of the call that is being profiled
            return
        try:
            profiler = new_profiler()
            if not _started(profiler):
                yield
                return
            try:
                yield
            finally:
                if _stopped(profiler):
                    wrapper.profiler = profiler
                    _deliver(profiler, report, top_n=top_n)
        finally:
            turn.release()

    wrapper: Any
    if inspect.iscoroutinefunction(inner):

        @functools.wraps(inner)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with profiled():
                return await inner(*args, **kwargs)

        wrapper = call_async
    else:

        @functools.wraps(inner)
        def call(*args: Any, **kwargs: Any) -> Any:
            with profiled():
                return inner(*args, **kwargs)

        wrapper = call
    wrapper.profiler = None
    return cast("F", wrapper)


def _started(profiler: Profiler) -> bool:
    """Start, unless another profiler is at work: a program must not fail for being watched."""
    try:
        profiler.start()
    except ProfilerError as error:
        _LOG.warning("@profile leaves this call alone: %s", error)
        return False
    return True


def _stopped(profiler: Profiler) -> bool:
    """Stop, unless this is a child that was forked inside the call."""
    if not profiler.is_running:
        return False
    try:
        profiler.stop()
    except Exception:  # noqa: BLE001 - a program must not fail for being watched; it is logged
        _log_failure("@profile could not finish; the call is not touched by that")
        return False
    return True


def _deliver(profiler: Profiler, report: Report | None, *, top_n: int) -> None:
    if report is None:
        return
    try:
        report(profiler.get_report(top_n=top_n))
    except Exception:  # noqa: BLE001 - the same
        _log_failure("@profile could not deliver its report; the call is not touched by that")


def _log_failure(text: str) -> None:
    with suppress(ValueError):  # of `logging` itself, where standard error is closed
        _LOG.exception(text)


def _new_turn() -> None:
    """In a forked child, whoever was being profiled is not."""
    global _turn  # noqa: PLW0603 - a lock that is held cannot be given back by another thread
    _turn = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_turn)
