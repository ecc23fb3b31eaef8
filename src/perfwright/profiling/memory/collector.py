"""What the garbage collector knows, asked so that no other thread is disturbed.

Another thread may have a tuple half built (`tuple(generator)`), which the collector knows already.
It could not finish one that is held elsewhere: CPython raises SystemError in the program. So only
one call of C code may ever hold any, in which no collection calls back into Python.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from itertools import chain, compress, repeat
from operator import is_not
from typing import Any


def settled_objects() -> list[object]:
    """Return all objects that the collector knows, but tuples."""
    gc.collect(0)  # makes the youngest older: their list changes with each call that asks for it
    return _but_tuples(gc.get_objects, (1, 2))


def settled_referrers(each: object, /) -> list[object]:
    """Return the objects that refer to one, but tuples."""
    return _but_tuples(gc.get_referrers, (each,))  # a tuple, so that it is not found itself


def _but_tuples(ask: Callable[[Any], list[object]], about: tuple[object, ...]) -> list[object]:
    collects = gc.isenabled()
    gc.disable()
    try:
        return list(_kept(ask, about))  # in no name: what it holds must go with this call
    finally:
        if collects:
            gc.enable()


def _kept(ask: Callable[[Any], list[object]], about: tuple[object, ...]) -> Iterator[object]:
    types = map(type, chain.from_iterable(map(ask, about)))
    return compress(chain.from_iterable(map(ask, about)), map(is_not, types, repeat(tuple)))
