"""What was sampled while allocations were traced."""

from __future__ import annotations

import pytest

from perfwright.profiling.model import Frame, Function, Stack, State
from perfwright.profiling.traced import TracedStacks


def stack(name: str, seconds: float, *, state: State = "running") -> Stack:
    return Stack(
        frames=(Frame(Function("/app/a.py", 1, name), 2),),
        state=state,
        thread="MainThread",
        samples=1,
        wall_s=seconds,
        cpu_s=seconds if state == "running" else 0.0,
    )


def test_what_ran_while_it_was_traced_loses_what_tracing_added() -> None:
    seen: list[Stack] = [stack("load", 1.0)]
    traced = TracedStacks(lambda: seen)
    traced.turn(True)
    seen = [stack("load", 1.0), stack("parse", 4.0)]
    traced.turn(False)
    seen = [stack("load", 3.0), stack("parse", 5.0), stack("wait", 9.0, state="waiting")]
    found = traced.without(seen, slowdown=4.0)
    assert [each.cpu_s for each in found] == pytest.approx([3.0, 2.0, 0.0])
    assert [each.wall_s for each in found] == pytest.approx([3.0, 2.0, 9.0])


def test_several_stretches_add_up() -> None:
    seen: list[Stack] = []
    traced = TracedStacks(lambda: seen)
    for turn in range(1, 4):
        traced.turn(True)
        seen = [stack("parse", 2.0 * turn)]
        traced.turn(False)
    (found,) = traced.without(seen, slowdown=2.0)
    assert found.cpu_s == pytest.approx(3.0)


def test_without_tracing_nothing_is_taken_away() -> None:
    seen = [stack("load", 1.0)]
    assert TracedStacks(lambda: seen).without(seen, slowdown=10.0) == tuple(seen)
