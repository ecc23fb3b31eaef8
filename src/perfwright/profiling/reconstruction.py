"""Stacks from counted calls, for runs that ended before enough samples were taken."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePath

from perfwright.profiling.model import Call, Frame, Function, Stack

ENOUGH_SAMPLES = 10
"""Of threads at work: fewer say less about a run than its counted calls do, unless it is a long one
of which C code let nobody see more."""
LONG_S = 0.5


_POLL = re.compile(r"\b(poll|select|control)\b")
"""C functions in which a selector waits, as a call counter names them."""


def stacks_of(calls: Sequence[Call]) -> tuple[Stack, ...]:
    """Make one stack of each pair of functions that called one another, by its own time.

    A counter knows pairs, not stacks: above the caller stands whoever called it at most cost. It
    knows no lines either: every frame is at the first line of its function.
    """
    callers = _costliest_callers(calls)
    return tuple(
        Stack(
            frames=tuple(Frame(each, each.line) for each in _chain(call, callers)),
            state="idle" if _waits_for_events(call) else "running",
            thread="MainThread",
            samples=0,  # nobody looked
            wall_s=call.self_s,
            cpu_s=0.0 if _waits_for_events(call) else call.self_s,
        )
        for call in calls
        if call.self_s > 0.0 and (call.callee.line or call.caller is not None)
    )


def _waits_for_events(call: Call) -> bool:
    """Whether an event loop had nothing to do meanwhile."""
    return (
        call.callee.line == 0
        and call.caller is not None
        and PurePath(call.caller.file).name == "selectors.py"
        and _POLL.search(call.callee.name) is not None
    )


def _costliest_callers(calls: Sequence[Call]) -> dict[Function, Function]:
    """Return for each function the caller on whose behalf it took most time."""
    most_s: defaultdict[Function, float] = defaultdict(lambda: -1.0)
    callers: dict[Function, Function] = {}
    for call in calls:
        caller, callee = call.caller, call.callee
        if caller is not None and caller != callee and call.cumulative_s > most_s[callee]:
            most_s[callee], callers[callee] = call.cumulative_s, caller
    return callers


def _chain(call: Call, callers: dict[Function, Function]) -> list[Function]:
    """Return the functions from the outermost one to the callee; one in C is its caller's time."""
    chain = [] if call.callee.line == 0 else [call.callee]
    function = call.caller if call.caller != call.callee else callers.get(call.callee)
    while function is not None and function not in chain:
        chain.append(function)
        function = callers.get(function)
    return chain[::-1]
