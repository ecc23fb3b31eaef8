"""What the tasks of one thread's event loops do, kept while they run.

This is the hot path, run once for every step of every task. Against a step that does nothing but
`await asyncio.sleep(0)`, the plainest form of it (a record per suspended call, made anew, keyword
arguments, a generator that walks the chain) took 6.2 us, this one takes 2.3; the step itself is 1.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, CoroutineType
from typing import Any

from perfwright.profiling.asynchronous.chain import below, names
from perfwright.profiling.asynchronous.setup import Setup

MAX_SEQUENCES = 32
"""Of one function; a function with more ways through it has the rest in one."""


@dataclass(slots=True)
class Waits:
    """How calls waited at one await."""

    count: int = 0
    total_s: float = 0.0
    longest_s: float = 0.0
    busy_s: float = 0.0

    def add_one(self, took_s: float, busy_s: float) -> None:
        """Add one time."""
        self.count += 1
        self.total_s += took_s
        if took_s > self.longest_s:  # noqa: PLR1730 - `max` costs 60 ns more
            self.longest_s = took_s
        self.busy_s += busy_s

    def add(self, more: Waits) -> None:
        """Add those of another call."""
        self.count += more.count
        self.total_s += more.total_s
        self.longest_s = max(self.longest_s, more.longest_s)
        self.busy_s += more.busy_s


@dataclass(slots=True)
class Sequence:
    """Calls that went through the same awaits."""

    calls: int = 0
    overlap_s: float = 0.0
    awaits: dict[int, Waits] = field(default_factory=dict)
    """By offset of the instruction, in the order in which a call came to them."""

    def at(self, offset: int) -> Waits:
        """Return the waits at one await."""
        waits = self.awaits.get(offset)
        if waits is None:
            waits = self.awaits[offset] = Waits()
        return waits

    def add(self, more: Sequence) -> None:
        """Add those of another thread."""
        self.calls += more.calls
        self.overlap_s += more.overlap_s
        for offset, waits in more.awaits.items():
            self.at(offset).add(waits)


@dataclass(slots=True)
class Place:
    """A coroutine function, in one thread."""

    code: CodeType
    machinery: bool
    """Part of asyncio itself: looked through, not reported."""
    names: dict[int, tuple[str, str]] = field(default_factory=dict)
    """By offset of the instruction: what is awaited there."""
    sequences: dict[tuple[int, ...], Sequence] = field(default_factory=dict)
    open: int = 0
    """Calls that are suspended."""
    opened_s: float = 0.0
    open_s: float = 0.0
    resumed: int = 0
    """How often calls went on after they had been suspended."""

    def sequence(self, key: tuple[int, ...]) -> Sequence:
        """Return the calls that went through the awaits at these offsets."""
        found = self.sequences.get(key)
        if found is None:
            if len(self.sequences) >= MAX_SEQUENCES:
                key = ()
            found = self.sequences.setdefault(key, Sequence())
        return found

    def add(self, more: Place) -> None:
        """Add what was seen elsewhere of the same function."""
        self.names.update(more.names)
        self.open_s += more.open_s
        self.resumed += more.resumed
        for key, sequence in more.sequences.items():
            self.sequences.setdefault(key, Sequence()).add(sequence)


class Level:
    """A suspended call.

    The call is held weakly: a task that all have forgotten must stay collectable. Levels serve
    again for the next call at the same depth, as to make one costs 200 ns.
    """

    __slots__ = ("awaits", "busy_s", "call", "entered", "offset", "place", "since_s")

    def __init__(self, place: Place) -> None:
        self.call: Callable[[], object] | None = None
        self.place = place
        self.offset = 0
        """Of the instruction at which it stands."""
        self.since_s = self.busy_s = 0.0
        self.entered = 0
        """Steps of the task when the call was suspended for the first time: it takes part in all
        that follow, which costs nothing to count."""
        self.awaits: dict[int, Waits] | None = None
        """Those that are over, but for the first; None until then."""

    def stand(self, offset: int, awaited: object) -> None:
        """The call stands at the await at `offset` now."""
        self.offset = offset
        if offset not in self.place.names:
            self.place.names[offset] = names(awaited)

    def over(self, at_s: float, busy_s: float) -> None:
        """The await at which the call stood is over, but the call is not."""
        if self.awaits is None:
            self.awaits = {}
        waits = self.awaits.get(self.offset)
        if waits is None:
            waits = self.awaits[self.offset] = Waits()
        waits.add_one(at_s - self.since_s, busy_s - self.busy_s)

    def close(self, at_s: float, busy_s: float) -> None:
        """The call is over, and with it the await at which it stood."""
        place = self.place
        place.open -= 1
        if not place.open:
            place.open_s += at_s - place.opened_s
        self.call = None
        if place.machinery:
            return
        if self.awaits is None:  # most calls await once
            sequence = place.sequence((self.offset,))
            sequence.calls += 1
            sequence.at(self.offset).add_one(at_s - self.since_s, busy_s - self.busy_s)
            return
        self.over(at_s, busy_s)
        sequence = place.sequence(tuple(self.awaits))
        sequence.calls += 1
        for offset, waits in self.awaits.items():
            sequence.at(offset).add(waits)
        each_s = [waits.total_s for waits in self.awaits.values()]
        longest_s = max(waits.longest_s for waits in self.awaits.values())
        sequence.overlap_s += sum(each_s) - longest_s
        self.awaits = None


@dataclass(slots=True)
class Times:
    """All tasks of one coroutine function."""

    code: CodeType
    tasks: int = 0
    steps: int = 0
    on_loop_s: float = 0.0
    awaiting_s: float = 0.0
    longest_step_s: float = 0.0

    def add(self, more: Times) -> None:
        """Add those of another thread."""
        self.tasks += more.tasks
        self.steps += more.steps
        self.on_loop_s += more.on_loop_s
        self.awaiting_s += more.awaiting_s
        self.longest_step_s = max(self.longest_step_s, more.longest_step_s)


class Track:
    """One task that is not done."""

    __slots__ = ("depth", "levels", "steps", "suspended_s", "task", "times")

    def __init__(self, task: weakref.ref[Any], times: Times, *, since_s: float) -> None:
        self.task = task
        self.times = times
        self.levels: list[Level] = []
        """Outermost first; those from `depth` on wait to serve again."""
        self.depth = self.steps = 0
        self.suspended_s = since_s
        """When its last step ended."""


@dataclass(slots=True)
class Tasks:
    """The tasks of one thread."""

    setup: Setup
    busy_s: float = 0.0
    """In callbacks of the loop, so far."""
    tracks: dict[int, Track] = field(default_factory=dict)
    """By identity of the task."""
    times: dict[CodeType, Times] = field(default_factory=dict)
    places: dict[CodeType, Place] = field(default_factory=dict)

    def meet(self, task: Any, *, since_s: float) -> None:
        """Follow a task that was suspended when watching began."""
        if id(task) not in self.tracks and (track := self._track(task, since_s=since_s)):
            self.move(track, task.get_coro(), resumed_s=since_s, suspended_s=since_s)

    def stepped(  # noqa: PLR0917 - hot
        self, task: Any, begun_s: float, ended_s: float, *, last: bool = False
    ) -> None:
        """A task has run from `begun_s` to `ended_s`; if it is the last time, it still does."""
        track = self.tracks.get(id(task)) or self._track(task, since_s=begun_s)
        if track is None:
            return
        times = track.times
        took_s = ended_s - begun_s
        times.steps += 1
        track.steps += 1
        times.on_loop_s += took_s
        if took_s > times.longest_step_s:  # noqa: PLR1730 - `max` costs 60 ns more
            times.longest_step_s = took_s
        times.awaiting_s += begun_s - track.suspended_s
        track.suspended_s = ended_s
        if last or task.done():
            self.tracks.pop(id(task), None)
            if self.setup.awaits:
                self.move(track, None, resumed_s=begun_s, suspended_s=ended_s)
        elif self.setup.awaits:
            self.move(track, task.get_coro(), resumed_s=begun_s, suspended_s=ended_s)

    def finish(self, *, at_s: float) -> None:
        """Count what is suspended still: nobody looks any longer."""
        for track in tuple(self.tracks.values()):
            track.times.awaiting_s += max(0.0, at_s - track.suspended_s)
            if self.setup.awaits:
                self.move(track, None, resumed_s=at_s, suspended_s=at_s)
        self.tracks.clear()

    def move(
        self,
        track: Track,
        node: Any,
        *,
        resumed_s: float,
        suspended_s: float,
        stepped: bool = True,
    ) -> bool:
        """End the awaits that a step has left, and begin those at which it stands now.

        Args:
            track: The task.
            node: Its coroutine; None if it stands nowhere any longer.
            resumed_s: When the step began.
            suspended_s: When it ended.
            stepped: Whether there was a step for sure; else, calls that are all still at the same
                await have not moved.

        Returns:
            Whether there was a step.
        """
        same, standing, node = self._unchanged(track, node)
        levels, busy_s = track.levels, self.busy_s
        if not stepped and standing is not None and same == track.depth:
            frame, _ = below(standing)
            if frame is not None and frame.f_lasti == levels[same - 1].offset:
                return False
        for index in range(same, track.depth):
            level = levels[index]
            level.place.resumed += track.steps - level.entered
            level.close(resumed_s, busy_s)
        track.depth = same
        busy_then_s = busy_s + suspended_s - resumed_s
        if standing is not None:
            level = levels[same - 1]
            level.over(resumed_s, busy_s)
            frame, inner = below(standing)
            if frame is not None:
                level.stand(frame.f_lasti, inner)
            level.since_s, level.busy_s = suspended_s, busy_then_s
        if node is not None:
            self._enter(track, node, at_s=suspended_s, busy_s=busy_then_s)
        return True

    def _unchanged(self, track: Track, node: Any) -> tuple[int, Any, Any]:
        """Count the calls still suspended; with the innermost of them, and what it awaits."""
        levels, depth, same, standing = track.levels, track.depth, 0, None
        while node is not None and same < depth:
            if type(node) is CoroutineType:
                inner = node.cr_await
            else:
                frame, inner = below(node)
                if frame is None:  # what the interpreter puts between
                    node = inner
                    continue
            if levels[same].call() is not node:  # type: ignore[misc]  # set for all below depth
                break
            standing, node, same = node, inner, same + 1
        return same, standing, node

    def _enter(self, track: Track, node: Any, *, at_s: float, busy_s: float) -> None:
        """Begin with the calls from `node` inwards, which are suspended for the first time."""
        levels = track.levels
        while node is not None:
            if type(node) is CoroutineType:
                frame, inner = node.cr_frame, node.cr_await
                if inner is None:  # it has not begun, or it runs
                    break
            else:
                frame, inner = below(node)
            if frame is not None:
                place = self.places.get(frame.f_code) or self._place(frame.f_code)
                if not place.open:
                    place.opened_s = at_s
                place.open += 1
                if track.depth == len(levels):
                    levels.append(Level(place))
                level = levels[track.depth]
                level.call, level.place = weakref.ref(node), place
                level.since_s, level.busy_s, level.entered = at_s, busy_s, track.steps
                level.stand(frame.f_lasti, inner)
                track.depth += 1
            node = inner

    def _place(self, code: CodeType) -> Place:
        place = self.places[code] = Place(code, self.setup.is_machinery(code))
        return place

    def times_of(self, code: CodeType) -> Times:
        """Return the times of all tasks of a coroutine function."""
        times = self.times.get(code)
        if times is None:
            times = self.times[code] = Times(code)
        return times

    def _track(self, task: Any, *, since_s: float) -> Track | None:
        code = getattr(task.get_coro(), "cr_code", None)
        if code is None:
            return None  # a coroutine of Cython and the like does not say where it stands
        times = self.times_of(code)
        times.tasks += 1
        key, tracks = id(task), self.tracks

        def forget(_: object) -> None:
            tracks.pop(key, None)

        track = tracks[key] = Track(weakref.ref(task, forget), times, since_s=since_s)
        return track
