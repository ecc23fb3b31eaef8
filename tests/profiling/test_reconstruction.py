"""Stacks of runs that were too short to be sampled."""

from __future__ import annotations

from perfwright.profiling.model import Call, Function, Stack
from perfwright.profiling.reconstruction import stacks_of

MAIN, LOAD, PARSE = (
    Function("/app/a.py", line, name) for line, name in ((1, "main"), (5, "load"), (9, "parse"))
)
SPLIT = Function("~", 0, "str.split")


def call(caller: Function | None, callee: Function, *, self_s: float, cumulative_s: float) -> Call:
    return Call(caller=caller, callee=callee, count=1, self_s=self_s, cumulative_s=cumulative_s)


def names(stack: Stack) -> list[str]:
    return [frame.function.name for frame in stack.frames]


def test_a_stack_reaches_up_to_the_first_caller() -> None:
    stacks = stacks_of(
        [
            call(None, MAIN, self_s=0.0, cumulative_s=3.0),
            call(MAIN, LOAD, self_s=0.0, cumulative_s=3.0),
            call(LOAD, PARSE, self_s=3.0, cumulative_s=3.0),
        ]
    )
    assert [(names(stack), stack.cpu_s) for stack in stacks] == [(["main", "load", "parse"], 3.0)]


def test_time_in_c_belongs_to_the_caller() -> None:
    assert [
        names(stack) for stack in stacks_of([call(LOAD, SPLIT, self_s=1.0, cumulative_s=1.0)])
    ] == [["load"]]


def test_functions_that_call_one_another_end_somewhere() -> None:
    stacks = stacks_of(
        [
            call(LOAD, PARSE, self_s=1.0, cumulative_s=2.0),
            call(PARSE, LOAD, self_s=1.0, cumulative_s=2.0),
            call(PARSE, PARSE, self_s=1.0, cumulative_s=0.0),
        ]
    )
    assert sorted(names(stack) for stack in stacks) == [
        ["load", "parse"],
        ["load", "parse"],
        ["parse", "load"],
    ]


def test_above_a_caller_stands_whoever_called_it_at_most_cost() -> None:
    stacks = stacks_of(
        [
            call(MAIN, PARSE, self_s=0.0, cumulative_s=1.0),
            call(LOAD, PARSE, self_s=0.0, cumulative_s=2.0),
            call(PARSE, SPLIT, self_s=3.0, cumulative_s=3.0),
        ]
    )
    assert [names(stack) for stack in stacks] == [["load", "parse"]]


def test_an_event_loop_that_waits_for_events_is_idle() -> None:
    select = Function("/usr/lib/python3.11/selectors.py", 452, "EpollSelector.select")
    poll = Function("~", 0, "<method 'poll' of 'select.epoll' objects>")
    stacks = stacks_of(
        [
            call(select, poll, self_s=3.0, cumulative_s=3.0),
            call(LOAD, poll, self_s=1.0, cumulative_s=1.0),
        ]
    )
    assert [(stack.state, stack.wall_s, stack.cpu_s) for stack in stacks] == [
        ("idle", 3.0, 0.0),
        ("running", 1.0, 1.0),
    ]
