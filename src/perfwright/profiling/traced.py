"""What was sampled while allocations were traced, which is slower than the program is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from perfwright.profiling.model import Frame, Stack, State

_Key = tuple[tuple[Frame, ...], State, str]


@dataclass(slots=True)
class _Times:
    wall_s: float = 0.0
    cpu_s: float = 0.0


class TracedStacks:
    """Adds up what a sampler sees from the beginning of each tracing to its end.

    Args:
        stacks: Returns what was seen so far.
    """

    def __init__(self, stacks: Callable[[], Iterable[Stack]]) -> None:
        self._stacks = stacks
        self._before: dict[_Key, Stack] = {}
        self._times: defaultdict[_Key, _Times] = defaultdict(_Times)

    def turn(self, is_traced: bool, /) -> None:
        """Note that tracing begins, or ends."""
        now = {_key(stack): stack for stack in self._stacks()}
        if not is_traced:
            for key, stack in now.items():
                before = self._before.get(key)
                times = self._times[key]
                times.wall_s += stack.wall_s - (before.wall_s if before else 0.0)
                times.cpu_s += stack.cpu_s - (before.cpu_s if before else 0.0)
        self._before = now

    def without(self, stacks: Iterable[Stack], *, slowdown: float) -> tuple[Stack, ...]:
        """Return the stacks as if the traced parts had run as fast as the others.

        Only what ran is slower for being traced: time in which a thread stood still stays.

        Args:
            stacks: All that was seen.
            slowdown: How many times longer the program took while it was traced; 1 or more.
        """
        lost = 1.0 - 1.0 / max(1.0, slowdown)
        return tuple(self._faster(stack, lost) for stack in stacks)

    def _faster(self, stack: Stack, lost: float) -> Stack:
        times = self._times.get(_key(stack))
        if times is None or stack.state != "running":
            return stack
        cpu_s = min(stack.cpu_s, lost * max(0.0, times.cpu_s))
        return replace(stack, cpu_s=stack.cpu_s - cpu_s, wall_s=max(0.0, stack.wall_s - cpu_s))


def _key(stack: Stack) -> _Key:
    return stack.frames, stack.state, stack.thread
