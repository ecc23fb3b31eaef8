"""What a memory probe found, as records of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from perfwright.profiling.memory.history import History
from perfwright.profiling.memory.leaks import Suspect
from perfwright.profiling.memory.lines import Lines
from perfwright.profiling.memory.names import LOCAL
from perfwright.profiling.memory.snapshot import Held, Place, grown
from perfwright.profiling.model import Allocation, Leak, Memory

MAX_PLACES = 200
"""Listed at the peak and at the end, largest first."""
MIN_PEAK_RATIO = 0.7
"""Of the peak; a snapshot of less says little about it."""


UNTRACED = Memory(
    start_bytes=0,
    end_bytes=0,
    peak_bytes=0,
    notes=("allocations were not traced: the process grew by too little",),
)


def record(
    history: History, leaks: Sequence[Suspect], *, names: Mapping[Place, str], notes: Sequence[str]
) -> Memory:
    """Put together all that was traced.

    Args:
        history: Of the whole run.
        leaks: What grew, largest first.
        names: Who holds what was allocated at a place.
        notes: What could not be seen.
    """
    lines = Lines()
    return Memory(
        start_bytes=history.first.total_bytes,
        end_bytes=history.held.total_bytes,
        peak_bytes=history.peak_bytes,
        growth=_allocations(grown(history.held, since=history.first), lines),
        at_peak=_allocations(grown(history.peak, since=history.first), lines),
        leaks=tuple(_leak(each, names.get(each.place, ""), lines=lines) for each in leaks),
        at_peak_bytes=history.peak.total_bytes,
        traced_s=history.traced_s,
        cost_s=history.cost_s,
        notes=tuple(notes),
    )


def _allocations(places: Mapping[Place, Held], lines: Lines) -> tuple[Allocation, ...]:
    largest = sorted(places.items(), key=lambda item: -item[1].size_bytes)[:MAX_PLACES]
    return tuple(
        Allocation(
            frame=lines.frame(*place[0]),
            size_bytes=held.size_bytes,
            count=held.count,
            callers=tuple(lines.frame(*each) for each in place[1:]),
        )
        for place, held in largest
    )


def _leak(suspect: Suspect, owner: str, *, lines: Lines) -> Leak:
    # A variable of a running function grows too while a result is being built.
    is_kept = bool(owner) and LOCAL not in owner
    return Leak(
        frame=lines.frame(*suspect.place[0]),
        growth_bytes=suspect.growth_bytes,
        slope_bytes_per_s=suspect.slope_bytes_per_s,
        owner=owner,
        confidence=suspect.confidence * (1.0 if is_kept else 0.5),
        callers=tuple(lines.frame(*each) for each in suspect.place[1:]),
    )


def notes_of(history: History, *, late: bool, paused: bool) -> Iterator[str]:
    """Say what could not be seen."""
    if late:
        yield "allocations before the process began to grow were not traced"
    pauses = history.stretches - (not paused)
    if pauses:
        yield (
            f"tracing was paused {pauses} times ({history.traced_s:.1f} s were traced), as it "
            "slows the program: what was allocated meanwhile is reckoned from what grew before, "
            "within what the process grew by, and of what was freed only the sum is known"
        )
    peak_bytes, at_peak_bytes = history.peak_bytes, history.peak.total_bytes
    if at_peak_bytes < MIN_PEAK_RATIO * peak_bytes:
        why = (
            "snapshots had taken their share of the time" if history.skipped else "it was too short"
        )
        yield (
            f"what was held at the peak of {peak_bytes / 2**20:.0f} MB is not known, as {why}; "
            f"`at_peak` is of {at_peak_bytes / 2**20:.0f} MB"
        )
