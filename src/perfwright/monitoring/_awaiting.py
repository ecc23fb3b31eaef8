"""Spans of functions that return what is to be awaited instead of having done it."""

from __future__ import annotations

import functools
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from perfwright.monitoring._collections import RUNNING, is_collecting
from perfwright.monitoring.spans import CURRENT, OFF, Span

if TYPE_CHECKING:
    from asyncio import Future

    from perfwright.monitoring.recorder import SpanRecorder

R = TypeVar("R")


@contextmanager
def within(span: Span | None) -> Iterator[None]:
    """Make `span` the current one, then what was so before; not in a collection."""
    if RUNNING and is_collecting():
        yield
        return
    token = CURRENT.set(span)
    try:
        yield
    finally:
        if not (RUNNING and is_collecting()):  # of what was abandoned
            CURRENT.reset(token)


def until_awaited(result: object, *, span: Span, monitor: SpanRecorder) -> object:
    """Return what a function returned instead of having done it, so that its end ends the span."""
    kind = type(result)
    if hasattr(kind, "_asyncio_future_blocking"):  # as `asyncio.isfuture` tells, without asyncio
        span.detach()
        future = cast("Future[Any]", result)
        future.add_done_callback(functools.partial(_finish_with, span=span, monitor=monitor))
    elif kind is CoroutineType or (
        # Cython's; but what is also an asynchronous context manager is to stay one.
        isinstance(result, Coroutine) and not hasattr(kind, "__aenter__")
    ):
        span.detach()
        return _awaited(cast("Coroutine[Any, Any, Any]", result), span=span, monitor=monitor)
    else:
        monitor.finish_trace(span)
    return result


def _finish_with(future: Future[Any], *, span: Span, monitor: SpanRecorder) -> None:
    if future.cancelled():
        span.add_tag("interrupted", "CancelledError")
        monitor.finish_trace(span)
    else:
        # `exception()` would keep asyncio from telling of one that nobody asks for.
        monitor.finish_trace(span, error=getattr(future, "_exception", None))


async def _awaited(coroutine: Coroutine[Any, Any, R], *, span: Span, monitor: SpanRecorder) -> R:
    """Run what a plain function returned instead of having done it, inside the call's span."""
    try:
        with nullcontext() if span is OFF else within(span):
            result = await coroutine
    except BaseException as error:
        monitor.finish_trace(span, error=error)
        raise
    monitor.finish_trace(span)
    return result
