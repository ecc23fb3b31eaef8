"""Several stretches of tracing as one; pure."""

from __future__ import annotations

from perfwright.profiling.memory.leaks import Suspect, suspects
from perfwright.profiling.memory.series import Series
from perfwright.profiling.memory.snapshot import Held, Place, Snapshot, grown

SMALL_BYTES = 512
"""Larger blocks are not counted by the interpreter, but leave the process when they are freed."""

AGAIN_BYTES = 4 * 1024
"""By which a place that leaks grows even in a short stretch."""


class History:
    """What is known of all stretches so far.

    Tracing forgets everything when it stops, so a stretch knows only of what was allocated in it.
    What was held at the end of those before is added to each of its snapshots.
    """

    def __init__(self) -> None:
        self.first = self.peak = self.held = Snapshot(0.0, {}, 0)
        self.kept: list[Snapshot] = []
        self.peak_bytes = self.stretches = self.skipped = 0
        self.traced_s = self.cost_s = 0.0
        self._last_s = 0.0
        self._last_grew: dict[Place, Held] = {}
        self._grew: set[Place] = set()
        self._grew_again: set[Place] = set()

    def add(self, series: Series, *, peak_bytes: int) -> None:
        """Add a stretch that is over; its peak as far as tracing knows it."""
        before = self.held
        if not self.stretches:
            self.first = self.peak = series.first
        self.stretches += 1
        # The first one holds nothing: what is known of that moment is known already.
        kept = series.kept[1:] if self.kept else series.kept
        self.kept += [_both(before, each) for each in kept]
        self.held = self.kept[-1]
        peak = _both(before, series.peak)
        if peak.total_bytes > self.peak.total_bytes:
            self.peak = peak
        peak_bytes += before.total_bytes
        self.peak_bytes = max(self.peak_bytes, peak_bytes, self.peak.total_bytes)
        self.skipped += series.skipped
        self.traced_s += series.kept[-1].at_s - series.first.at_s
        self.cost_s += series.cost_s
        more = grown(series.kept[-1], since=series.first)
        self._last_s, self._last_grew = series.kept[-1].at_s - series.first.at_s, more
        grew = {place for place, held in more.items() if held.size_bytes >= AGAIN_BYTES}
        self._grew_again |= grew & self._grew
        self._grew |= grew

    def pass_to(
        self, at_s: float, *, kept_ratio: float, grew_bytes: int = 0, speed: float = 1.0
    ) -> None:
        """Let time pass in which nothing was traced and so much (0 to 1) of all held was kept.

        Args:
            at_s: Until when.
            kept_ratio: Of what was held.
            grew_bytes: What the process grew by meanwhile. Places that grew in the last stretch
                are taken to have grown on, so much faster, but by no more than this in all.
            speed: How many times faster the program ran than while it was traced.
        """
        places = {
            place: Held(int(held.size_bytes * kept_ratio), int(held.count * kept_ratio))
            for place, held in self.held.places.items()
        }
        total_bytes = int(self.held.total_bytes * kept_ratio)
        more_bytes = sum(held.size_bytes for held in self._last_grew.values())
        if grew_bytes > 0 and more_bytes and self._last_s > 0.0:
            times = min(speed * (at_s - self.held.at_s) / self._last_s, grew_bytes / more_bytes)
            for place, held in self._last_grew.items():
                now = places.setdefault(place, Held())
                now.size_bytes += int(held.size_bytes * times)
                now.count += int(held.count * times)
                total_bytes += int(held.size_bytes * times)
        is_same = total_bytes == self.held.total_bytes
        self.held = Snapshot(at_s, places, total_bytes)
        if not is_same:  # else nothing is known of the time that passed
            self.kept.append(self.held)

    def bound(self, *, blocks: int) -> None:
        """Let no more small blocks be held than the interpreter counts since the start.

        What an earlier stretch saw may have been freed in a later one, which does not know it.
        """
        held = self.held
        small = {place for place, each in held.places.items() if _is_small(each)}
        count = sum(held.places[place].count for place in small)
        if count <= max(0, blocks):
            return
        ratio = max(0, blocks) / count
        places = {
            place: Held(int(each.size_bytes * ratio), int(each.count * ratio))
            if place in small
            else each
            for place, each in held.places.items()
        }
        freed = sum(held.places[place].size_bytes - places[place].size_bytes for place in small)
        self.held = Snapshot(held.at_s, places, held.total_bytes - freed)
        if self.kept and self.kept[-1].at_s == held.at_s:
            self.kept.pop()
        self.kept.append(self.held)

    def suspects(self, last: Series | None = None) -> list[Suspect]:
        """Find what grew throughout, or throughout the last stretch; largest growth first."""
        found: dict[Place, Suspect] = {}
        for each in (*suspects(self.kept), *(suspects(last.kept) if last else ())):
            known = found.get(each.place)
            if known is None or each.growth_bytes > known.growth_bytes:
                found[each.place] = each
        return sorted(found.values(), key=lambda suspect: -suspect.growth_bytes)

    def suspects_at_pause(self) -> list[Suspect]:
        """Find what grew throughout and in several stretches; what grew in one only may be done."""
        return [each for each in self.suspects() if each.place in self._grew_again]


def kept_ratio(held: Snapshot, *, freed_bytes: int, freed_blocks: int) -> float:
    """Return how much of what was held is so still, 0 to 1, given what the process has freed."""
    blocks = sum(each.count for each in held.places.values())
    freed = _ratio(freed_bytes, held.total_bytes)
    if held.total_bytes <= blocks * SMALL_BYTES:
        freed = max(freed, _ratio(freed_blocks, blocks))
    return 1.0 - freed


def _is_small(held: Held) -> bool:
    return held.size_bytes <= held.count * SMALL_BYTES


def _ratio(part: int, whole: int) -> float:
    return min(1.0, max(0.0, part / whole)) if whole else 0.0


def _both(before: Snapshot, now: Snapshot) -> Snapshot:
    if not before.total_bytes:
        return now
    places = dict(before.places)
    for place, held in now.places.items():
        earlier = places.get(place, Held())
        places[place] = Held(earlier.size_bytes + held.size_bytes, earlier.count + held.count)
    return Snapshot(now.at_s, places, before.total_bytes + now.total_bytes)
