"""Has the main thread do something between two of its instructions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any

_waiting: deque[Callable[[], None]] = deque()


def call_soon(function: Callable[[], None]) -> bool:
    """Have the main thread call `function` as soon as it executes Python code; from any thread.

    This is `Py_AddPendingCall` of Python's C interface, which signal handlers go through as well.

    Returns:
        False if too many calls wait already.
    """
    import ctypes

    _waiting.append(function)
    if ctypes.pythonapi.Py_AddPendingCall(_callback(), None) == 0:
        return True
    _waiting.remove(function)
    return False


@cache
def _callback() -> Any:
    import ctypes

    # Kept for good: the interpreter holds no reference.
    return ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_call_next)


def _call_next(_: object) -> int:
    if _waiting:
        _waiting.popleft()()
    return 0
