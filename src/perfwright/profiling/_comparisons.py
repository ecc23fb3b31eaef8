"""Elements that count how often they are compared: what C code does with them becomes visible.

A sort, a heap and a search in a list run no line of Python, but they ask their elements: which of
you is less, are you equal, what is your hash.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import GeneratorType
from typing import Any, Final

from perfwright.profiling._operations import TooMany

_COMPARED: Final = ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__", "__hash__")
_COLLECTIONS: Final = (list, tuple, set, frozenset, deque)


class Comparisons:
    """Counts for the elements that it makes.

    Args:
        limit: Further comparisons end the call under way with `TooMany`.
    """

    def __init__(self, *, limit: int) -> None:
        self.count = 0
        self._limit = limit
        self._types = {kind: self._counted(kind) for kind in (int, float, str)}

    def watched(self, given: object) -> object | None:
        """Return an equal collection whose elements are counted; None for anything else."""
        if type(given) not in _COLLECTIONS:
            return None
        elements: list[Any] = list(given)  # type: ignore[call-overload]
        if not elements or any(type(each) not in self._types for each in elements):
            return None
        return type(given)(self._types[type(each)](each) for each in elements)  # type: ignore[call-arg]

    def _counted(self, kind: type[Any]) -> type[Any]:
        def counting(method: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*operands: object) -> object:
                self.count += 1
                if self.count > self._limit:
                    raise TooMany
                return method(*operands)

            return counted

        members = {name: counting(getattr(kind, name)) for name in _COMPARED}
        if kind is not str:  # a key of a sort is often the negative
            members["__neg__"] = lambda each: made(-kind(each))
        made = type(kind.__name__, (kind,), members)
        return made


def count_comparisons(func: Callable[[Any], object], given: object, *, limit: int) -> int | None:
    """Count how often the elements of `given` are compared or hashed while `func` works on them.

    Returns:
        None if they cannot be counted: no collection of numbers and texts, more than `limit`, or
        `func` does not accept such elements.
    """
    comparisons = Comparisons(limit=limit)
    watched = comparisons.watched(given)
    if watched is None:
        return None
    comparisons.count = 0  # making a set has hashed them
    try:
        result = func(watched)
        if type(result) is GeneratorType:
            deque(result, maxlen=0)
    except (Exception, TooMany):  # noqa: BLE001 - it works on what it was made for, as was seen
        return None
    return comparisons.count
