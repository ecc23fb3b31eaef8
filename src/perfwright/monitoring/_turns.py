"""The one lock of what is counted, and whose turn it is to count when many threads record."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

PATIENCE_S = 1.0
"""How long who records waits at most. The one that counts may itself wait for something that this
thread holds, if the garbage collector made it run a finalizer: so never for ever."""

LOCK = threading.RLock()
"""One for all monitors, histograms and sketches: with several, a finalizer that records while its
thread has one of them, and another thread that has another one, would wait for each other."""


def attempt(work: Callable[[], None], *, timeout_s: float = 0.0) -> bool:
    """Call `work` with the lock; returns False if it cannot be had in time, or is this thread's.

    In the latter case a signal handler or finalizer interrupted who is counting.

    Exceptions may arrive anywhere, from signal handlers or set by other threads. They leave nothing
    locked: `with` takes and gives back a lock of Python's without a moment between.
    """
    if is_mine():
        return False
    try:
        if not LOCK.acquire(timeout=timeout_s):
            return False
        with LOCK:
            LOCK.release()  # the one above
            work()
    except BaseException:
        if is_mine():  # it came right after the lock was taken
            LOCK.release()
        raise
    return True


def offer(count: Callable[[], None], *, is_full: Callable[[], bool]) -> None:
    """Call `count` unless another thread is at it, which as a rule counts this as well.

    Args:
        count: Counts everything that waits.
        is_full: Whether so much waits that this thread is to wait as well: the one that counts
            needs the interpreter.
    """

    def count_if_full() -> None:
        if is_full():
            count()

    if not attempt(count) and is_full():
        attempt(count_if_full, timeout_s=PATIENCE_S)


def is_mine() -> bool:
    """Return whether this thread has the lock."""
    return LOCK._is_owned()  # type: ignore[attr-defined, no-any-return]


def _before_fork() -> None:
    # A child must not inherit what another thread was about to change. In vain only if that thread
    # waits for this one.
    LOCK.acquire(timeout=PATIENCE_S)


def _after_fork() -> None:
    if is_mine():
        LOCK.release()


def _after_fork_in_child() -> None:
    if is_mine():
        LOCK.release()
    else:
        LOCK._at_fork_reinit()  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )
