"""What a stack weighs in a picture."""

from __future__ import annotations

from typing import Literal, assert_never

from perfwright.profiling.model import Stack

Weight = Literal["busy", "cpu", "wall"]
"""`busy`: CPU of what runs, time of what waits. `cpu`: CPU alone. `wall`: all time, idle too."""


def weight_s(stack: Stack, weight: Weight) -> float:
    """Return the seconds that a stack weighs."""
    match weight:
        case "cpu":
            return stack.cpu_s
        case "wall":
            return stack.wall_s
        case "busy":
            return busy_s(stack)
        case _:
            assert_never(weight)


def busy_s(stack: Stack) -> float:
    """Return the seconds in which there was work: on a CPU, or standing still with it."""
    match stack.state:
        case "running":
            return stack.cpu_s
        case "waiting":
            return stack.wall_s
        case "idle" | "awaiting":
            return 0.0
        case _:
            assert_never(stack.state)
