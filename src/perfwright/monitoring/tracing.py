"""`@trace`, and the current span across threads."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast, overload

from perfwright.monitoring._awaiting import until_awaited, within
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import CURRENT, OFF, Span, current
from perfwright.monitoring.tags import Checked, plain_tags

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_lock = threading.Lock()
_monitor: PerformanceMonitor | None = None
_made: PerformanceMonitor | None = None
"""The one that was made here, and that nobody has set up yet."""


def get_monitor() -> PerformanceMonitor:
    """Return the monitor of this process, which is made when it is first asked for."""
    global _monitor, _made  # noqa: PLW0603 - one for each process is what it is
    own = _monitor  # which another thread may take away at any time
    if own is None:
        with _lock:
            own = _monitor
            if own is None:
                own = _monitor = _made = PerformanceMonitor()
    return own


def set_monitor(monitor: PerformanceMonitor | None) -> PerformanceMonitor | None:
    """Make `monitor` the one of this process; returns the one before, if there was one."""
    global _monitor, _made
    if monitor is not None and not isinstance(monitor, PerformanceMonitor):
        raise TypeError(f"set_monitor needs a PerformanceMonitor, not {type(monitor).__name__}")
    with _lock:
        before, _monitor, _made = _monitor, monitor, None
    return before


def unclaimed_monitor() -> PerformanceMonitor | None:
    """Return the process's monitor if nobody has chosen it, so that it may be set up in place.

    What `@trace` has counted so far is then in it, and the spans that are open end in it.
    """
    own = get_monitor()
    return own if own is _made else None


def leave_monitor(monitor: PerformanceMonitor) -> None:
    """Make the process go on with a new monitor, if this one is its own."""
    global _monitor  # noqa: PLW0603 - likewise
    with _lock:
        if _monitor is monitor:
            _monitor = None


@overload
def trace(operation: F) -> F: ...


@overload
def trace(
    operation: str | None = None,
    tags: Mapping[str, Any] | None = None,
    *,
    monitor: PerformanceMonitor | None = None,
) -> Callable[[F], F]: ...


def trace(
    operation: F | str | None = None,
    tags: Mapping[str, Any] | None = None,
    *,
    monitor: PerformanceMonitor | None = None,
) -> F | Callable[[F], F]:
    """Make each call of a function a span.

    For functions, coroutine functions, generators and asynchronous generators, methods of classes
    included. The span of a generator lasts from its first value to its end, and is the current one
    only while the generator runs, not while its consumer does. The span of a function that returns
    a coroutine, a task or another future of asyncio lasts until that has run.

    Args:
        operation: Its name; by default `module.qualified_name`.
        tags: Of each span.
        monitor: By default the one that is the process's own (`set_monitor`) at the time of a call.

    Raises:
        TypeError: If it is put on something that is no function.
    """
    if callable(operation):
        return _decorated(operation, _Setting("", None, None))
    if operation is not None and not isinstance(operation, str):
        raise TypeError(f"operation is a name, not {type(operation).__name__}")
    setting = _Setting(operation or "", Checked(plain_tags(tags)) if tags else None, monitor)
    return lambda function: _decorated(function, setting)


class _Setting(NamedTuple):
    operation: str
    tags: Mapping[str, Any] | None
    monitor: PerformanceMonitor | None


def _decorated(function: F, setting: _Setting) -> F:
    if isinstance(function, (staticmethod, classmethod)):
        inner = _decorated(function.__func__, setting)
        return cast("F", type(function)(inner))
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"@trace is for functions, not for {function!r}: trace its methods")
    if not setting.operation:
        own_name = getattr(function, "__qualname__", type(function).__name__)
        module = getattr(function, "__module__", None)  # methods of C types have none
        setting = setting._replace(operation=f"{module}.{own_name}" if module else own_name)
    return cast("F", functools.wraps(function)(_wrapper_of(function)(function, setting)))


def _wrapper_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what traces a function of this kind; an object is what its `__call__` is."""
    for called in (function, getattr(function, "__call__", None)):  # noqa: B004 - the method itself
        if inspect.isasyncgenfunction(called):
            return _traced_async_generator
        if inspect.iscoroutinefunction(called) or _is_awaitable_generator(called):
            return _traced_coroutine
        if inspect.isgeneratorfunction(called):
            return _traced_generator
    return _traced


def _is_awaitable_generator(function: object) -> bool:
    """Whether `types.coroutine` made it a coroutine function."""
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return bool(flags & inspect.CO_ITERABLE_COROUTINE)


def _traced(function: Callable[P, R], setting: _Setting) -> Callable[P, R]:
    name, tags, monitor = setting  # looked up once, not in each call

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        used = monitor or _monitor or get_monitor()
        span = used.start_trace(name, tags=tags)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            used.finish_trace(span, error=error)
            raise
        if result is not None and hasattr(type(result), "__await__"):
            return cast("R", until_awaited(result, span=span, monitor=used))
        used.finish_trace(span)
        return result

    return call


def _traced_coroutine(
    function: Callable[P, Coroutine[Any, Any, R]], setting: _Setting
) -> Callable[P, Coroutine[Any, Any, R]]:
    name, tags, monitor = setting

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        used = monitor or _monitor or get_monitor()
        span = used.start_trace(name, tags=tags)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            used.finish_trace(span, error=error)
            raise
        used.finish_trace(span)
        return result

    return call


def _traced_generator(
    function: Callable[P, Generator[Any, Any, R]], setting: _Setting
) -> Callable[P, Generator[Any, Any, R]]:
    name, tags, monitor = setting

    def call(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, R]:
        used = monitor or _monitor or get_monitor()
        generator = function(*args, **kwargs)
        inside = span = _begun(used, name, tags=tags)
        if span is OFF:  # it is not to hide the spans of other monitors
            return (yield from generator)
        step: Callable[[], Any] = functools.partial(next, generator)
        try:
            while True:
                token = CURRENT.set(inside)  # `with` would cost 0.6 us more for each value
                try:
                    value = step()
                    inside = CURRENT.get() or span  # it may wait in the midst of another span
                finally:
                    CURRENT.reset(token)
                try:
                    sent = yield value
                except GeneratorExit:
                    with within(inside):
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - the generator's to catch or not
                    step = functools.partial(generator.throw, error)
                else:
                    step = functools.partial(generator.send, sent)
        except StopIteration as end:
            used.finish_trace(span)
            return cast("R", end.value)
        except BaseException as error:
            used.finish_trace(span, error=error)
            raise

    return call


def _traced_async_generator(
    function: Callable[P, AsyncGenerator[Any, Any]], setting: _Setting
) -> Callable[P, AsyncGenerator[Any, Any]]:
    name, tags, monitor = setting

    async def call(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any, Any]:
        used = monitor or _monitor or get_monitor()
        generator = function(*args, **kwargs)
        inside = span = _begun(used, name, tags=tags)
        step: Callable[[], Any] = generator.__anext__
        try:
            while True:
                token = None if span is OFF else CURRENT.set(inside)
                try:
                    value = await step()
                    inside = CURRENT.get() or span
                finally:
                    if token is not None:
                        CURRENT.reset(token)
                try:
                    sent = yield value
                except GeneratorExit:
                    with nullcontext() if span is OFF else within(inside):
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - the generator's to catch or not
                    step = functools.partial(generator.athrow, error)
                else:
                    step = functools.partial(generator.asend, sent)
        except StopAsyncIteration:
            used.finish_trace(span)
        except BaseException as error:
            used.finish_trace(span, error=error)
            raise

    return call


def _begun(monitor: PerformanceMonitor, name: str, *, tags: Mapping[str, Any] | None) -> Span:
    """Start a span that is current only while its generator runs."""
    span = monitor.start_trace(name, tags=tags)
    span.detach()
    return span


@contextmanager
def suppressed() -> Iterator[None]:
    """Make no spans in this block, as when spans themselves are being delivered."""
    with within(OFF):
        yield


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` so that the span that is current now is also around it in another thread.

    For `threading.Thread(target=carry(work))`, `executor.submit(carry(work))` and callbacks. Tasks
    of asyncio and `asyncio.to_thread` need nothing. The result may run often, in many threads.
    Where spans are suppressed now, it makes none either.
    """
    # `current` says None where spans are suppressed, as they are then to be in the thread.
    span = OFF if CURRENT.get() is OFF else current()

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        token = CURRENT.set(span)
        try:
            return function(*args, **kwargs)
        finally:
            CURRENT.reset(token)

    return call


def propagate_threads() -> Callable[[], None]:
    """Make each new thread, and each call given to a thread pool, go on with the current span.

    It replaces `threading.Thread.start` and `ThreadPoolExecutor.submit` in this process, so that
    code that knows nothing of spans keeps them; `loop.run_in_executor` is such code. Only calls
    made afterwards are concerned. Calling it again changes nothing.

    Returns:
        What puts the methods back.
    """
    from perfwright.monitoring import thread_patches

    return thread_patches.install()
