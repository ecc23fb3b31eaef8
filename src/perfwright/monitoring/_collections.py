"""Whether the garbage collector runs in this thread: its finalizers must not touch the context.

Up to Python 3.11 a collection can begin in the midst of `ContextVar.set`, as that allocates. What a
finalizer does to the same variable then frees what `set` is reading, or leaves a value behind that
nobody owns: the interpreter crashes. A generator that was abandoned inside a `with` block of a span
is enough. From 3.12 on collections come between instructions only.
"""

from __future__ import annotations

import gc
import sys
import threading
from functools import partial
from typing import Any


class _Running(set[str]):
    """Not empty while there is a collection, in whatever thread."""

    start = property(None, set.update)
    stop = property(None, set.difference_update)


RUNNING = _Running()
_here = threading.local()
_latest: dict[str, Any] = {}


def is_collecting() -> bool:
    """Return whether this thread is in the midst of a collection; to be asked if `RUNNING`."""
    latest = _latest.get("start")
    return bool(RUNNING) and latest is not None and getattr(_here, "start", None) is latest


def watch() -> None:
    """Begin to keep `RUNNING`; more than one call does no harm."""
    if sys.version_info >= (3, 12) or _callbacks[0] in gc.callbacks:
        return
    gc.callbacks.extend(_callbacks)


# The collector calls each with "start" or "stop" and facts, which are one object for all of them.
# All are functions of C: in one of Python, a signal handler's exception would arrive, and be lost.
_callbacks = (partial(setattr, RUNNING), partial(setattr, _here), _latest.__setitem__)
