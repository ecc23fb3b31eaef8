"""Puts the current span into threads whose code does not know of it, if the user asks for that."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from perfwright.monitoring.spans import CURRENT
from perfwright.monitoring.tracing import carry

_MARK = "_perfwright_carries"


def install() -> Callable[[], None]:
    """Replace the two methods, unless they are replaced already; returns what undoes that."""
    if hasattr(threading.Thread.start, _MARK):
        return _nothing_to_undo
    plain_start, plain_submit = threading.Thread.start, ThreadPoolExecutor.submit

    def start(thread: threading.Thread) -> None:
        if CURRENT.get() is None or thread.ident is not None:  # it cannot be started twice
            plain_start(thread)
            return
        put_back = _carry_run(thread)
        try:
            plain_start(thread)
        except BaseException:
            put_back()
            raise

    def submit(
        executor: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        # Always, even without a span: a pool's thread goes on with the span that it was born in.
        return plain_submit(executor, carry(function), *args, **kwargs)

    functools.update_wrapper(start, plain_start)
    functools.update_wrapper(submit, plain_submit)  # type: ignore[arg-type]  # its self is wider
    setattr(start, _MARK, True)
    threading.Thread.start = start  # type: ignore[method-assign, assignment]
    ThreadPoolExecutor.submit = submit  # type: ignore[method-assign, assignment]

    def undo() -> None:
        # Somebody may have replaced them since: taking ours away would take theirs away as well.
        if threading.Thread.start is start:
            threading.Thread.start = plain_start  # type: ignore[method-assign]
        if ThreadPoolExecutor.submit is submit:
            ThreadPoolExecutor.submit = plain_submit  # type: ignore[method-assign]

    return undo


def _carry_run(thread: threading.Thread) -> Callable[[], None]:
    """Run the thread inside the current span; works for subclasses that have their own `run`.

    Returns:
        What takes that back, for a thread that does not start.
    """
    own = vars(thread).get("run")
    run = carry(thread.run)

    def once() -> None:
        put_back()  # ends the cycle of thread and method
        run()

    def put_back() -> None:
        if own is None:
            del thread.run
        else:
            thread.run = own  # type: ignore[method-assign]

    thread.run = once  # type: ignore[method-assign]
    return put_back


def _nothing_to_undo() -> None:
    """Leave it to whoever installed the patches."""
