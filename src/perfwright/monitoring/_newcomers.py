"""Which names come again and again, among any number of names that come once."""

from __future__ import annotations

from dataclasses import dataclass

RECURS = 8
"""Times that a name must come until it may take the place of another one."""
_ROOM = 64


@dataclass(slots=True)
class _Newcomer:
    times: int
    since_s: float


class Newcomers:
    """Counts names without a place, in room for few of them.

    Source: J. Misra, D. Gries, Finding repeated elements, Science of Computer Programming 2 (1982):
        when there is no room for one more name, all counts go down by one. A name that is more than
        one in 64 of those that come keeps a count, however many others come once.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Newcomer] = {}

    def came(self, name: str, *, times: int, at_s: float) -> float | None:
        """Count a name; returns since when it has come `RECURS` times, None while it has not.

        Args:
            name: The newcomer.
            times: How often it came.
            at_s: When, in seconds of the clock.
        """
        newcomer = self._known.get(name)
        if newcomer is not None:
            newcomer.times += times
        else:
            times = self._make_room(times)
            if not times:
                return None
            newcomer = self._known[name] = _Newcomer(times, at_s)
        return newcomer.since_s if newcomer.times >= RECURS else None

    def forget(self, name: str) -> None:
        """Count a name from zero again: it got a place, or has to wait for one."""
        self._known.pop(name, None)

    def _make_room(self, times: int) -> int:
        """Let all counts go down together until one is gone; returns what is left of `times`."""
        if len(self._known) < _ROOM:
            return times
        down = min(times, *(each.times for each in self._known.values()))
        for newcomer in self._known.values():
            newcomer.times -= down
        self._known = {name: each for name, each in self._known.items() if each.times}
        return times - down
