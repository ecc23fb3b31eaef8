"""Tasks of one function on one loop, of which some are followed from look to look."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from random import Random
from types import CodeType
from typing import Any

from perfwright.profiling.asynchronous.tasks import Place, Sequence, Tasks, Times, Track, Waits


class Followed(Track):
    """A task that is looked at again and again."""

    __slots__ = ("resumed_busy_s", "resumed_s", "waiter")

    def __init__(self, task: Any, times: Times, *, since_s: float) -> None:
        super().__init__(weakref.ref(task), times, since_s=since_s)
        self.resumed_s = 0.0
        """When the step began that runs since; 0: it is suspended."""
        self.resumed_busy_s = 0.0
        """How long the loop had been busy by then."""
        self.waiter: weakref.ref[Any] | None = None
        """The future that it waited for at the last look."""


@dataclass(slots=True)
class Panel:
    """All tasks of one function on one loop.

    At most as many are followed as looking may cost; what is seen of them stands for all others.
    """

    code: CodeType
    tasks: Tasks
    followed: dict[int, Followed] = field(default_factory=dict)
    """By identity of the task."""
    candidates: list[Any] = field(default_factory=list)
    """Tasks of the last count, until some were chosen."""
    followed_s: float = 0.0
    """Sum of the times that tasks were followed for."""
    population_s: float = 0.0
    """Sum of the times that tasks existed, from counts now and then."""

    @property
    def ratio(self) -> float:
        """How many tasks each followed one stands for."""
        return max(1.0, self.population_s / self.followed_s) if self.followed_s else 1.0

    def choose(self, *, quota: int, rng: Random, at_s: float) -> None:
        """Follow at most `quota` tasks: those that are followed already, and new candidates."""
        # With some slack: a quota that sways must not cut calls short.
        while len(self.followed) > 1.5 * quota:
            track = self.followed.pop(rng.choice(tuple(self.followed)))
            self.tasks.move(track, None, resumed_s=at_s, suspended_s=at_s)
            track.times.tasks -= 1  # others stand for it from now on
        room = max(0, quota - len(self.followed))
        new = [task for task in self.candidates if not self._follows(task)]
        self.candidates = []  # nothing else may keep a task alive
        for task in new if len(new) <= room else rng.sample(new, room):
            if stale := self.followed.pop(id(task), None):  # another one had that address
                self.tasks.move(stale, None, resumed_s=at_s, suspended_s=at_s)
            times = self.tasks.times_of(self.code)
            times.tasks += 1
            self.followed[id(task)] = Followed(task, times, since_s=at_s)

    def _follows(self, task: Any) -> bool:
        track = self.followed.get(id(task))
        return track is not None and track.task() is task

    def look(self, running: Any, *, middle_s: float, passed_s: float) -> None:
        """See where each followed task stands now.

        Args:
            running: The task that the loop runs now.
            middle_s: Between the last look and this one: when whatever has changed did.
            passed_s: Between the two.
        """
        for key, track in tuple(self.followed.items()):
            task = track.task()
            if task is None or task.done():
                del self.followed[key]
                self.tasks.move(
                    track, None, resumed_s=track.resumed_s or middle_s, suspended_s=middle_s
                )
                continue
            self.followed_s += passed_s
            if task is running:
                if not track.resumed_s:
                    track.resumed_s, track.resumed_busy_s = middle_s, self.tasks.busy_s
                continue
            waiter = getattr(task, "_fut_waiter", None)
            if waiter is None or track.waiter is None or track.waiter() is not waiter:
                self._moved(track, task, waiter=waiter, middle_s=middle_s)

    def _moved(self, track: Followed, task: Any, *, waiter: Any, middle_s: float) -> None:
        """A task may have run a step, or many, since the last look."""
        stepped = bool(track.resumed_s) or waiter is not None or track.waiter is not None
        busy_s = self.tasks.busy_s
        if track.resumed_s:
            self.tasks.busy_s = track.resumed_busy_s
        moved = self.tasks.move(
            track,
            task.get_coro(),
            resumed_s=track.resumed_s or middle_s,
            suspended_s=middle_s,
            stepped=stepped,
        )
        self.tasks.busy_s = busy_s
        for level in track.levels[: track.depth]:
            if level.since_s == middle_s:  # an await that begins after the step, not within it
                level.busy_s = busy_s
        track.times.steps += moved
        track.resumed_s = 0.0
        try:
            track.waiter = None if waiter is None else weakref.ref(waiter)
        except TypeError:  # a future of a kind that cannot be held weakly
            track.waiter = None

    def finish(self, *, at_s: float) -> None:
        """Count what is suspended still: nobody looks any longer."""
        for track in self.followed.values():
            self.tasks.move(track, None, resumed_s=track.resumed_s or at_s, suspended_s=at_s)
        self.followed.clear()

    def times(self, *, on_loop_s: float) -> Times:
        """Return the times of all tasks, as far as the followed ones tell."""
        ratio, seen = self.ratio, self.tasks.times_of(self.code)
        return Times(
            self.code,
            tasks=round(seen.tasks * ratio),
            steps=round(seen.steps * ratio),
            on_loop_s=on_loop_s,
            awaiting_s=max(0.0, self.followed_s * ratio - on_loop_s),
        )

    def places(self, watched_s: float) -> list[Place]:
        """Return what was seen of the followed tasks, as an estimate for all."""
        seen = self.tasks.places.values()
        return [scaled(place, self.ratio, watched_s=watched_s) for place in seen]


def scaled(place: Place, ratio: float, *, watched_s: float) -> Place:
    """Return a coroutine function's records, each call taken `ratio` times."""
    if ratio == 1.0:
        return place
    every = Place(place.code, machinery=place.machinery, names=place.names)
    # As if the others were open at any moment as likely as these, and independent of them.
    closed = max(0.0, 1.0 - place.open_s / watched_s) if watched_s else 1.0
    every.open_s = watched_s * (1.0 - closed**ratio)
    for key, sequence in place.sequences.items():
        into = every.sequences[key] = Sequence(
            calls=max(1, round(sequence.calls * ratio)), overlap_s=sequence.overlap_s * ratio
        )
        for offset, waits in sequence.awaits.items():
            into.awaits[offset] = Waits(
                max(1, round(waits.count * ratio)),
                waits.total_s * ratio,
                waits.longest_s,
                waits.busy_s * ratio,
            )
    return every
