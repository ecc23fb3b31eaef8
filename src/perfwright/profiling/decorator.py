"""Profiling the calls of one function."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast, overload

from perfwright.core import ConfigError, ProfilerError
from perfwright.profiling.profiler import Mode, Profiler

F = TypeVar("F", bound=Callable[..., Any])
Report = Callable[[str], object]
"""What is done with the text of a report."""
_LOG = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()


def to_standard_error(text: str) -> None:
    """Show a report where it does not mix with what the program prints."""
    sys.stderr.write(f"{text}\n")


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
        report: Is given the text; by default it goes to standard error. None: no report.

    Raises:
        ConfigError: If a setting cannot be used, or what is decorated yields.
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

    if top_n < 1:
        raise ConfigError(field="top_n", value=top_n, problem="must be 1 or more")
    new_profiler()  # refuses bad settings here rather than in the first call
    return decorate if function is None else decorate(function)


def _decorated(
    inner: F, new_profiler: Callable[[], Profiler], *, report: Report | None, top_n: int
) -> F:
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        problem = "yields: profile what consumes it, by `with Profiler() as profiler:`"
        raise ConfigError(field="profile", value=inner.__qualname__, problem=problem)

    @contextmanager
    def profiled() -> Iterator[None]:
        profiler = new_profiler()
        if not _one_at_a_time.acquire(blocking=False):
            yield  # a part of the call that is being profiled
            return
        try:
            if not _started(profiler):
                yield
                return
            try:
                yield
            finally:
                profiler.stop()
                wrapper.profiler = profiler
                if report is not None:
                    report(profiler.get_report(top_n=top_n))
        finally:
            _one_at_a_time.release()

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
