"""One event loop, as looks from another thread see it."""

from __future__ import annotations

import weakref
from collections import defaultdict
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from perfwright.profiling.asynchronous.blocks import Block, Blocks, Looks, stack_of
from perfwright.profiling.asynchronous.panel import Panel
from perfwright.profiling.asynchronous.registry import Turns
from perfwright.profiling.asynchronous.setup import Setup
from perfwright.profiling.asynchronous.tasks import Place, Tasks


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at a loop's thread."""

    now_s: float
    before_s: float
    """When the look before it was."""
    frame: FrameType | None
    """Innermost of the thread; None if it is not known."""
    cpu_s: float
    """Processor time of the thread so far."""
    late_s: float
    """How long the look was due before the interpreter was to be had."""

    @property
    def middle_s(self) -> float:
        """When whatever changed since the look before did so, for want of better."""
        return (self.before_s + self.now_s) / 2


@dataclass(slots=True)
class Activity:
    """A callback that a look found running."""

    key: tuple[float, int]
    begun_s: float
    last_s: float
    """The last look that found it."""
    cpu_s: float
    """Processor time of the thread before it began, at most."""
    long: bool
    """It is known to have run for longer than a block's time at one look alone."""
    code: CodeType | None
    """Of the task that it is a step of."""
    looks: Looks | None = None

    @property
    def is_block(self) -> bool:
        """Whether it held the loop over more than one look, or for long."""
        return self.looks is not None


@dataclass(slots=True)
class Records:
    """What was seen of loops that have ended."""

    tasks: Tasks
    blocks: Blocks = field(default_factory=Blocks)
    lag_max_s: float = 0.0
    cost_s: float = 0.0
    ratio: float = 1.0
    """How many tasks a followed one stood for, at most."""
    foreign: bool = False
    """Whether there was a loop whose callbacks are not seen."""


@dataclass(slots=True)
class Watched:
    """A loop, with what was seen of its tasks and of what held it."""

    key: int
    """Identity of the loop."""
    loop: weakref.ref[Any]
    setup: Setup
    cpu_s: float
    """Processor time of its thread at the last look."""
    ident: int = 0
    """Of the thread that runs it; 0: not known."""
    foreign: bool = False
    """Not of asyncio's own kind: which callback it runs cannot be told."""
    panels: dict[CodeType, Panel] = field(default_factory=dict)
    blocks: Blocks = field(default_factory=Blocks)
    lag_max_s: float = 0.0
    busy_s: float = 0.0
    """In callbacks, so far."""
    ran_s: dict[CodeType | None, float] = field(default_factory=lambda: defaultdict(float))
    """Time of the looks that found a callback running, by the function of its task."""
    longest_s: dict[CodeType, float] = field(default_factory=dict)
    _activity: Activity | None = None

    def look(self, moment: Moment, turns: Turns, *, running: Any) -> None:
        """See what the loop does now.

        Args:
            moment: The look.
            turns: Reads the loop's frame.
            running: The task that it runs now.
        """
        passed_s, activity = moment.now_s - moment.before_s, self._activity
        code = getattr(running.get_coro(), "cr_code", None) if running is not None else None
        key = turns.callback(moment.frame)
        if key is None or activity is None or key != activity.key:
            self._end(moment)
            self._activity = activity = (
                None if key is None else self._begin(key, code=code, moment=moment)
            )
            held_s = 0.0
        else:
            activity.last_s, held_s = moment.now_s, passed_s
        if activity is not None:
            self.ran_s[activity.code] += passed_s
            if activity.long or held_s:
                self._blocked(activity, moment, turns=turns)
        elif code is not None:  # a loop of another kind runs a task
            self.ran_s[code] += passed_s
            held_s = passed_s
        # A look comes when the interpreter is to be had, which is when the loop turns to wait; the
        # processor time says what was done in between.
        busy_s = min(passed_s, max(held_s, moment.cpu_s - self.cpu_s))
        for panel in self.panels.values():
            panel.tasks.busy_s = self.busy_s + busy_s / 2
            panel.look(running, middle_s=moment.middle_s, passed_s=passed_s)
        self.busy_s += busy_s
        self.cpu_s = moment.cpu_s

    def _begin(self, key: tuple[float, int], *, code: CodeType | None, moment: Moment) -> Activity:
        """A callback runs that did not at the last look."""
        loop = self.loop()
        begun_s, known_s = moment.middle_s, 0.0
        if key[1] == 0 and loop is not None:  # the first of its round: it began with the round
            known_s = loop.time() - key[0]
            begun_s = max(moment.before_s, moment.now_s - max(0.0, known_s))
        if moment.cpu_s - self.cpu_s > moment.late_s / 2:
            # Only C code in this thread can have kept the interpreter that long.
            known_s = max(known_s, moment.late_s)
            begun_s = min(begun_s, max(moment.before_s, moment.now_s - moment.late_s))
        return Activity(
            key=key,
            begun_s=begun_s,
            last_s=moment.now_s,
            cpu_s=self.cpu_s,
            long=known_s >= self.setup.block_s,
            code=code,
        )

    def _blocked(self, activity: Activity, moment: Moment, *, turns: Turns) -> None:
        if activity.looks is None:
            activity.looks = Looks(activity.begun_s, activity.begun_s, activity.cpu_s)
        stack = stack_of(moment.frame, below=turns.machinery)
        if stack:
            activity.looks.add(stack, now_s=moment.now_s, cpu_s=moment.cpu_s)

    def _end(self, moment: Moment) -> None:
        """What ran at the last look has ended since."""
        activity, self._activity = self._activity, None
        if activity is None or not activity.is_block:
            return
        # Of a last look that was late, most was the block itself, and little is left.
        ended_s = (activity.last_s + moment.now_s) / 2
        took_s = ended_s - activity.begun_s
        if took_s < self.setup.block_s:
            return
        self.blocks.ended(
            activity.looks,
            took_s=took_s,
            cpu_s=moment.cpu_s,
            cpu_most_s=moment.cpu_s - activity.cpu_s,
            fallback=(),
        )
        self.lag_max_s = max(self.lag_max_s, took_s)
        if activity.code is not None:
            longest_s = max(self.longest_s.get(activity.code, 0.0), took_s)
            self.longest_s[activity.code] = longest_s

    def counted(self, tasks: list[Any], *, each: float, passed_s: float) -> list[Panel]:
        """Sort tasks by function; `each` stands for so many over `passed_s`.

        Returns:
            The panels of these functions, least tasks first, for `choose`.
        """
        by_code: dict[CodeType, list[Any]] = defaultdict(list)
        for task in tasks:
            code = getattr(task.get_coro(), "cr_code", None)
            if code is not None:  # else a coroutine of Cython, which does not say where it stands
                by_code[code].append(task)
        for code, some in by_code.items():
            panel = self.panels.get(code)
            if panel is None:
                panel = self.panels[code] = Panel(code, Tasks(self.setup))
            panel.candidates = some
            panel.population_s += each * len(some) * passed_s
        return [self.panels[code] for code in by_code]

    @property
    def followed(self) -> int:
        """How many tasks are looked at each time."""
        return sum(len(panel.followed) for panel in self.panels.values())

    def finish(self, moment: Moment, *, into: Records, watched_s: float) -> None:
        """Count what has not ended, and add all that was seen to `into`."""
        self._end(moment)
        for stack, block in self.blocks.settled().items():
            into.blocks.seen.setdefault(stack, Block()).merge(block)
        into.lag_max_s = max(into.lag_max_s, self.lag_max_s)
        into.foreign = into.foreign or self.foreign
        seen_s = sum(self.ran_s.values())
        for code, panel in self.panels.items():
            panel.finish(at_s=moment.now_s)
            into.ratio = max(into.ratio, panel.ratio)
            for place in panel.places(watched_s):
                into.tasks.places.setdefault(
                    place.code, Place(place.code, machinery=place.machinery)
                ).add(place)
            share = self.ran_s.get(code, 0.0) / seen_s if seen_s else 0.0
            into.tasks.times_of(code).add(panel.times(on_loop_s=self.busy_s * share))
            into.tasks.times_of(code).longest_step_s = max(
                into.tasks.times_of(code).longest_step_s, self.longest_s.get(code, 0.0)
            )
