"""How a program reaches an object: `shop.cache:_SEEN (dict)`."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from types import CellType, FrameType, FunctionType, ModuleType
from typing import Any

from perfwright.profiling.memory.collector import settled_objects, settled_referrers

LRU_CACHE = type(lru_cache(lambda: None))
LOCAL = ", local "
"""Marks in a name a variable of a call that runs still."""
_MAX_LEVELS = 5
"""Of holders, up to a module, class or function."""
_MOST_HOLDERS = 8
"""Tried at each level: an object that so many hold is shared, and its holder says little."""
_MOST_SEARCHES = 40


def name_of(each: object, *, until_s: float = math.inf) -> str:
    """Name an object by a short way from a module, class, function or frame to it.

    Costs up to 40 passes over all objects of the process. Empty if no way is found.

    Args:
        each: The object.
        until_s: Of this thread's processor time: no further pass is made then.
    """
    path = _Search(until_s).path(each, _MAX_LEVELS)
    return f"{path} ({type(each).__name__.strip('_')})" if path else ""


class _Search:
    def __init__(self, until_s: float) -> None:
        self._until_s = until_s
        modules: list[tuple[str, object]] = list(sys.modules.items())
        self._modules = {id(vars(m)): n for n, m in modules if isinstance(m, ModuleType)}
        self._left = _MOST_SEARCHES
        self._seen: list[object] = []

    def path(self, each: Any, levels: int) -> str:
        if type(each) is LRU_CACHE or isinstance(each, FunctionType | type):
            return f"{each.__module__}:{each.__qualname__}"
        if not levels or not self._left or time.thread_time() > self._until_s:
            return ""
        self._left -= 1
        seen = {id(self._seen), *map(id, self._seen)}
        holders = [h for h in settled_referrers(each) if id(h) not in seen and not _is_ours(h)]
        self._seen += (each, holders)  # so that the search does not find itself
        for holder in holders:
            if id(holder) in self._modules:
                return f"{self._modules[id(holder)]}:{_attribute(holder, each)[1:]}"
        for holder in [h for h in holders if not isinstance(h, FrameType)][:_MOST_HOLDERS]:
            owner, step = _step(holder, each)
            found = self.path(owner, levels - 1)
            if found:
                return found + step
            if step.startswith("."):
                return f"{type(owner).__module__}:{type(owner).__qualname__}{step}"
        return next(filter(None, (_variable(frame, each) for frame in _frames())), "")


def _frames() -> Iterator[FrameType]:
    # The collector does not know the frames of running calls, nor hence who is held by them.
    for innermost in sys._current_frames().values():
        frame: FrameType | None = innermost
        while frame is not None:
            if not _is_ours(frame):
                yield frame
            frame = frame.f_back


def _variable(frame: FrameType, each: object) -> str:
    names = [name for name, value in frame.f_locals.items() if value is each]
    module = frame.f_globals.get("__name__", "")
    return f"{module}:{frame.f_code.co_qualname}{LOCAL}{names[0]}" if names else ""


def _step(holder: Any, each: object, /) -> tuple[Any, str]:
    """Return who really holds, and what to write behind its name."""
    if isinstance(holder, CellType):
        for function in _functions_of(holder):
            free = function.__code__.co_freevars
            cells = function.__closure__ or ()
            names = [name for name, cell in zip(free, cells, strict=True) if cell is holder]
            return function, f", closing over {names[0]}" if names else ""
    if type(holder) is dict:
        for owner in settled_referrers(holder):
            if getattr(owner, "__dict__", None) is holder or (
                isinstance(owner, type) and any(value is each for value in vars(owner).values())
            ):
                return owner, _attribute(holder, each)
        return holder, "[...]"
    if isinstance(holder, list | set | frozenset):
        return holder, "[...]"
    return holder, _attribute(getattr(holder, "__dict__", {}), each)


def _attribute(attributes: Any, each: object, /) -> str:
    names = [name for name, value in tuple(attributes.items()) if value is each]
    return f".{names[0]}" if names else ""


def _functions_of(cell: CellType) -> Iterator[FunctionType]:
    for each in settled_objects():
        if isinstance(each, FunctionType) and any(cell is own for own in each.__closure__ or ()):
            yield each


def _is_ours(holder: object) -> bool:
    """Tell the frames and variables of this search from those of the program."""
    return isinstance(holder, FrameType) and holder.f_globals.get("__name__", "").startswith(
        "perfwright.profiling."
    )
