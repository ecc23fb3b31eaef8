"""Who holds what was allocated at a place, as far as the garbage collector tells."""

from __future__ import annotations

import gc
import math
import time
import tracemalloc
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from itertools import islice
from types import FunctionType, ModuleType
from typing import Any

from perfwright.profiling.memory.collector import settled_objects
from perfwright.profiling.memory.names import LRU_CACHE, name_of
from perfwright.profiling.memory.snapshot import Place

_CONTAINERS = (dict, list, set, deque, OrderedDict, defaultdict)
MIN_LENGTH = 32
"""Of a container that is worth a look: what leaks has many."""
_MOST_CONTAINERS = 1_000
_SAMPLE = 4
"""Elements looked at from each end of a container."""
_LARGE, _LARGE_SAMPLE = 50, 64
"""So many of the longest get a closer look: what was added lately may be anywhere in them."""
_MOST_INNER = 16


def owners(places: Iterable[Place], *, most_s: float = math.inf) -> dict[Place, str]:
    """Name for each place the longest container whose elements were allocated there.

    Costs about 0.3 us for each object of the process, and as much again for each name.

    Args:
        places: To look for, as tracemalloc knows them; it must be tracing.
        most_s: Processor time after which no further name is looked for.
    """
    wanted = set(places)
    until_s = time.thread_time() + most_s
    found: dict[Place, str] = {}
    for container, elements in _largest():
        if len(found) == len(wanted) or time.thread_time() > until_s:
            break
        try:
            held = {place for each in elements for place in _places(each)} & wanted
            for place in held - found.keys():
                found[place] = name_of(container, until_s=until_s)
        except Exception:  # noqa: BLE001, S112 - proxies raise anything when looked at
            continue
    return found


def _largest() -> list[tuple[object, list[object]]]:
    """Return the longest containers, each with some of its elements."""
    sized = []
    seen: set[int] = set()
    for each in _all_objects():
        length = _length(each)
        if length >= MIN_LENGTH and id(each) not in seen:
            seen.add(id(each))
            sized.append((length, each))
    sized.sort(key=lambda pair: -pair[0])
    return [
        (each, _elements(each, _LARGE_SAMPLE if rank < _LARGE else _SAMPLE))
        for rank, (_, each) in enumerate(sized[:_MOST_CONTAINERS])
    ]


def _all_objects() -> Iterator[object]:
    objects = settled_objects()
    for start in range(0, len(objects), 10_000):
        chunk = objects[start : start + 10_000]
        yield from chunk
        # A dict of plain strings and numbers is unknown to the collector, but not who refers to it.
        for each in gc.get_referents(*chunk):
            if type(each) in _CONTAINERS and not gc.is_tracked(each):
                yield each


def _length(each: object) -> int:
    if type(each) in _CONTAINERS:
        return len(each)  # type: ignore[arg-type]
    if type(each) is LRU_CACHE:
        return int(each.cache_info().currsize)
    return 0


def _elements(container: Any, sample: int, /) -> list[object]:
    """Return elements from the end, where what came last is, and from the beginning."""
    try:
        if isinstance(container, dict):
            keys = [*islice(reversed(container), sample), *islice(container, sample)]
            return [*keys, *(container[key] for key in keys)]
        if isinstance(container, list | deque):
            return [*islice(reversed(container), sample), *islice(container, sample)]
        if type(container) is LRU_CACHE:
            return list(islice(gc.get_referents(container), 64))
        return list(islice(container, 2 * sample))
    except (RuntimeError, KeyError):  # another thread changes it
        return []


def _places(element: object) -> Iterator[Place]:
    """Yield where an element and what it holds directly was allocated."""
    inner = islice(_inner(element), _MOST_INNER)
    for each in (element, *inner):
        traceback = tracemalloc.get_object_traceback(each)
        if traceback is not None:
            yield tuple((frame.filename, frame.lineno) for frame in reversed(traceback))


def _inner(element: object) -> Iterator[object]:
    for each in gc.get_referents(element):
        if not isinstance(each, type | ModuleType | FunctionType):
            yield each
            if type(each) in (dict, list, tuple):
                yield from islice(gc.get_referents(each), _MOST_INNER)
