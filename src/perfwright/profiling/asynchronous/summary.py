"""Raw records of all threads as one `Async`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from types import CodeType
from typing import Protocol

from perfwright.profiling.asynchronous.blocks import Block, Blocks, Place
from perfwright.profiling.asynchronous.tasks import Place as Calls
from perfwright.profiling.asynchronous.tasks import Tasks, Times, Waits
from perfwright.profiling.code import function_of
from perfwright.profiling.model import (
    Async,
    AwaitSequence,
    AwaitSite,
    AwaitStep,
    Frame,
    LoopBlock,
    Resumed,
    TaskTimes,
)


class Records(Protocol):
    """What was seen of one thread's loops, or of one loop."""

    @property
    def tasks(self) -> Tasks:
        """Its tasks."""

    @property
    def blocks(self) -> Blocks:
        """What held it."""

    @property
    def lag_max_s(self) -> float:
        """For how long at most."""

    @property
    def cost_s(self) -> float:
        """What watching it took, as far as it is counted there."""


def summary(threads: Sequence[Records], *, notes: Sequence[str], cost_s: float) -> Async:
    """Put together what was seen in all threads; each part costliest first."""
    places = merged(place for thread in threads for place in thread.tasks.places.values())
    return Async(
        tasks=_tasks(times for thread in threads for times in thread.tasks.times.values()),
        blocks=_blocks(threads),
        sites=_sites(places),
        lag_max_s=max((thread.lag_max_s for thread in threads), default=0.0),
        sequences=_sequences(places),
        resumed=tuple(
            Resumed(function=function_of(place.code), count=place.resumed)
            for place in places
            if place.resumed
        ),
        notes=tuple(notes),
        cost_s=cost_s + sum(thread.cost_s for thread in threads),
    )


def merged(places: Iterable[Calls]) -> list[Calls]:
    """Add up what several threads saw of the same coroutine functions."""
    found: dict[CodeType, Calls] = {}
    for place in places:
        if place.machinery:
            continue
        into = found.setdefault(place.code, Calls(place.code, machinery=False))
        into.add(place)
    return list(found.values())


def _tasks(all_times: Iterable[Times]) -> tuple[TaskTimes, ...]:
    sums: dict[CodeType, Times] = {}
    for times in all_times:
        sums.setdefault(times.code, Times(times.code)).add(times)
    return tuple(
        TaskTimes(
            function=function_of(times.code),
            tasks=times.tasks,
            steps=times.steps,
            on_loop_s=times.on_loop_s,
            awaiting_s=times.awaiting_s,
            longest_step_s=times.longest_step_s,
        )
        for times in sorted(sums.values(), key=lambda t: -(t.on_loop_s + t.awaiting_s))
    )


def _blocks(threads: Sequence[Records]) -> tuple[LoopBlock, ...]:
    sums: dict[tuple[Place, ...], Block] = defaultdict(Block)
    for thread in threads:
        for stack, block in thread.blocks.settled().items():
            sums[stack].merge(block)
    return tuple(
        LoopBlock(
            frames=tuple(Frame(function_of(code), line) for code, line in stack),
            count=block.count,
            total_s=block.total_s,
            longest_s=block.longest_s,
            on_cpu_ratio=min(1.0, block.cpu_s / block.total_s) if block.total_s else 0.0,
        )
        for stack, block in sorted(sums.items(), key=lambda item: -item[1].total_s)
    )


def _sequences(places: Iterable[Calls]) -> tuple[AwaitSequence, ...]:
    found = (
        AwaitSequence(
            function=function_of(place.code),
            calls=sequence.calls,
            awaits=tuple(
                _step(place, offset, waits=waits) for offset, waits in sequence.awaits.items()
            ),
            awaiting_s=sum(waits.total_s for waits in sequence.awaits.values()),
            overlap_s=sequence.overlap_s,
            open_s=place.open_s,
        )
        for place in places
        for sequence in place.sequences.values()
    )
    return tuple(sorted(found, key=lambda each: -each.awaiting_s))


def _step(place: Calls, offset: int, *, waits: Waits) -> AwaitStep:
    line, column = position(place.code, offset)
    awaited, waits_for = place.names.get(offset, ("", ""))
    return AwaitStep(
        line=line,
        column=column,
        awaited=awaited,
        waits_for=waits_for,
        count=waits.count,
        total_s=waits.total_s,
        longest_s=waits.longest_s,
        # Where looks tell, the two are estimates, and one may come out above the other.
        loop_busy_s=min(waits.total_s, max(0.0, waits.busy_s)),
    )


def _sites(places: Iterable[Calls]) -> tuple[AwaitSite, ...]:
    found = []
    for place in places:
        sums: dict[int, Waits] = defaultdict(Waits)
        for sequence in place.sequences.values():
            for offset, waits in sequence.awaits.items():
                sums[offset].add(waits)
        function = function_of(place.code)
        found += [
            AwaitSite(
                frame=Frame(function, position(place.code, offset)[0]),
                awaited=place.names.get(offset, ("", ""))[0],
                count=waits.count,
                total_s=waits.total_s,
            )
            for offset, waits in sums.items()
        ]
    return tuple(sorted(found, key=lambda site: -site.total_s))


def position(code: CodeType, offset: int) -> tuple[int, int]:
    """Return line and column of the instruction at `offset` bytes."""
    positions = list(code.co_positions())
    index = offset // 2
    line, _, column, _ = positions[index] if 0 <= index < len(positions) else (None,) * 4
    return line or code.co_firstlineno, column or 0
