"""What happened lately, in short slots of time: bounded memory for any traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from perfwright.monitoring.sketch import Sketch

SLOTS = 12
"""In a window: what is older than the window stays for at most a twelfth of it."""


@dataclass(slots=True, eq=False)
class Slot:
    """What ended within one stretch of time, counted."""

    count: int = 0
    failed: int = 0
    slow: int = 0
    """Did not fail, but took longer than the objective."""


@dataclass(slots=True, eq=False)
class TimedSlot(Slot):
    """The same, and how long it all took: five times the memory."""

    sketch: Sketch = field(default_factory=Sketch)


AnySlot = TypeVar("AnySlot", bound=Slot)


class Slots(Generic[AnySlot]):
    """The last `keep` slots of `width_s` seconds each, made by `make`."""

    def __init__(self, make: Callable[[], AnySlot], *, width_s: float, keep: int) -> None:
        self._make, self.width_s, self._keep = make, width_s, keep
        self._slots: dict[int, AnySlot] = {}

    def slot(self, at_s: float) -> AnySlot:
        """Return the slot that a moment belongs to; moments may come out of order."""
        number = int(at_s // self.width_s)
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = self._make()
            newest = max(self._slots)
            for old in [key for key in self._slots if key <= newest - self._keep]:
                del self._slots[old]
        return slot

    def last(self, span_s: float, *, now_s: float) -> Iterator[AnySlot]:
        """Yield the slots since `start_of(span_s)`."""
        first = (now_s - span_s) // self.width_s
        current = now_s // self.width_s
        for number, slot in self._slots.items():
            if first <= number <= current:
                yield slot

    def start_of(self, span_s: float, *, now_s: float) -> float:
        """When the slot began in which the last `span_s` seconds begin."""
        return (now_s - span_s) // self.width_s * self.width_s

    def finished(self, count: int, *, now_s: float) -> list[tuple[int, AnySlot]]:
        """Return the last `count` slots that are over, with their numbers, in the order of time."""
        current = int(now_s // self.width_s)
        numbers = sorted(n for n in self._slots if current - count <= n < current)
        return [(number, self._slots[number]) for number in numbers]
