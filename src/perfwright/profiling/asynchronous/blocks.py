"""Stacks that kept a loop from turning, put together from looks at a callback while it ran."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import CodeType, FrameType

Place = tuple[CodeType, int]
"""A frame: its code and its line."""

MAX_STACKS = 2_000
"""Told apart; time of further ones goes to their outermost frame."""
MAX_DEPTH = 200
"""Frames of a stack, innermost; what is further out is cut off."""


def stack_of(frame: FrameType | None, *, below: frozenset[CodeType]) -> tuple[Place, ...]:
    """Return a thread's stack, outermost first, from where the loop's own machinery ends."""
    places: list[Place] = []
    while frame is not None and frame.f_code not in below and len(places) < MAX_DEPTH:
        places.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(places))


@dataclass(slots=True)
class Looks:
    """What was seen of one callback while it ran."""

    begun_s: float
    last_s: float
    """Until when time has been given to a stack."""
    last_cpu_s: float
    stacks: dict[tuple[Place, ...], list[float]] = field(default_factory=dict)
    """For each stack: seconds, seconds of them on a CPU."""

    def add(self, stack: tuple[Place, ...], *, now_s: float, cpu_s: float) -> None:
        """Give the time since the last look to the stack that is seen now."""
        share = self.stacks.setdefault(stack, [0.0, 0.0])
        wall_s = max(0.0, now_s - self.last_s)
        share[0] += wall_s
        share[1] += min(wall_s, max(0.0, cpu_s - self.last_cpu_s))
        self.last_s, self.last_cpu_s = now_s, cpu_s


@dataclass(slots=True)
class Block:
    """All that one stack held up."""

    count: int = 0
    total_s: float = 0.0
    longest_s: float = 0.0
    cpu_s: float = 0.0

    def add(self, seconds: float, *, cpu_s: float) -> None:
        """Count one more time."""
        self.count += 1
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)
        self.cpu_s += cpu_s

    def scaled(self, ratio: float) -> Block:
        """Return that share of it."""
        return Block(
            round(self.count * ratio), self.total_s * ratio, self.longest_s, self.cpu_s * ratio
        )

    def merge(self, more: Block) -> None:
        """Add what was seen elsewhere."""
        self.count += more.count
        self.total_s += more.total_s
        self.longest_s = max(self.longest_s, more.longest_s)
        self.cpu_s += more.cpu_s


@dataclass(slots=True)
class Blocks:
    """Of one thread."""

    seen: dict[tuple[Place, ...], Block] = field(default_factory=dict)
    unseen: dict[tuple[Place, ...], Block] = field(default_factory=dict)
    """By what the callback was, as no look came in time."""

    def ended(
        self,
        looks: Looks | None,
        *,
        took_s: float,
        cpu_s: float,
        cpu_most_s: float,
        fallback: tuple[Place, ...],
    ) -> None:
        """A callback has held the loop for `took_s`.

        Args:
            looks: At this callback; None if there was none.
            cpu_s: CPU time of the thread now, to compare with that of the last look.
            cpu_most_s: CPU time since the last look at the thread, if there was none at this one.
            fallback: Where the callback stands, if no look tells better.
        """
        if looks is None or not looks.stacks:
            self.unseen.setdefault(fallback, Block()).add(took_s, cpu_s=min(took_s, cpu_most_s))
            return
        last = next(reversed(looks.stacks))
        looks.add(last, now_s=looks.begun_s + took_s, cpu_s=cpu_s)
        seen_s = sum(wall_s for wall_s, _ in looks.stacks.values()) or 1.0
        for stack, (wall_s, on_cpu_s) in looks.stacks.items():
            # All of the callback's time is shared out, also what was before the first look.
            scale = took_s / seen_s
            self._block(stack).add(wall_s * scale, cpu_s=on_cpu_s * scale)

    def settled(self) -> dict[tuple[Place, ...], Block]:
        """Return all blocks, those that no look met with the stacks seen in the same function.

        A look every few milliseconds meets a share of short blocks only; the others were most
        likely the same.
        """
        settled = {stack: replace(block) for stack, block in self.seen.items()}
        for fallback, block in self.unseen.items():
            alike = [stack for stack in self.seen if fallback and stack[0][0] is fallback[0][0]]
            weight_s = sum(self.seen[stack].total_s for stack in alike)
            for stack in alike:
                ratio = self.seen[stack].total_s / weight_s
                settled[stack].merge(block.scaled(ratio))
            if not alike:
                settled.setdefault(fallback, Block()).merge(block)
        return settled

    def _block(self, stack: tuple[Place, ...]) -> Block:
        if stack not in self.seen and len(self.seen) >= MAX_STACKS:
            stack = stack[:1]
        return self.seen.setdefault(stack, Block())
