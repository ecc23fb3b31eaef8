"""How much CPU a thread has had, where the system tells."""

from __future__ import annotations

import time
from collections.abc import Callable

_clock_of = getattr(time, "pthread_getcpuclockid", None)
_read = getattr(time, "clock_gettime", None)

AVAILABLE = _clock_of is not None and _read is not None
"""False on Windows and macOS: states are then told by what is being called alone."""


def cpu_clock(ident: int) -> int | None:
    """The id of the CPU clock of a living thread.

    Args:
        ident: Must be alive, which a thread in `sys._current_frames()` is while the caller keeps
            the interpreter: the C library may crash on the id of a dead one.
    """
    if _clock_of is None:
        return None
    try:
        return int(_clock_of(ident))
    except OSError:
        return None


def cpu_s(clock_id: int) -> float | None:
    """Seconds of CPU so far; None if the thread behind the clock has ended."""
    if _read is None:
        return None
    try:
        return float(_read(clock_id))
    except OSError:
        return None


def _thread_waits() -> Callable[[], int]:
    try:
        from resource import RUSAGE_THREAD, getrusage
    except ImportError:
        return lambda: 0

    return lambda: getrusage(RUSAGE_THREAD).ru_nvcsw


waits = _thread_waits()
"""How often the calling thread has gone to sleep; always 0 where the system does not tell."""
