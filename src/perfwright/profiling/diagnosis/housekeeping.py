"""Threads that only wait: for the next tick, a signal, a child's end, somebody's call.

However long they stand, the run is not shorter without them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping

from perfwright.profiling.diagnosis.samples import is_file, simple
from perfwright.profiling.diagnosis.source import FunctionSource, ModuleSource
from perfwright.profiling.diagnosis.syntax import method
from perfwright.profiling.model import Frame, Function, Stack

IDLE_PART = 0.8  # of a thread's time that it stands; the rest is what a tick does
MAIN = "MainThread"
TICKS = {"sleep", "select", "poll", "epoll", "wait", "sigwait", "sigtimedwait", "pause"}
"""Calls that wait for time to pass, or for something that may never come."""
ENDS = {"wait", "wait3", "wait4", "waitpid", "sigwait", "pause"}
"""Calls that wait once for what somebody else does, as in a thread that watches a child."""
TAKES = {"get", "get_nowait", "recv", "recvfrom", "accept", "popleft", "blpop", "fetch", "receive"}
"""Calls that hand a loop its next piece of work."""
Modules = Callable[[str], ModuleSource | None]


def housekeepers(
    threads: Mapping[str, Iterable[Stack]],
    *,
    owns: Callable[[Function], bool],
    module: Modules,
) -> frozenset[str]:
    """Names of the threads that do nothing but wait, over and over or once.

    The main thread is one of them only while others work.
    """
    found = {
        name for name, stacks in threads.items() if _only_waits(stacks, owns=owns, module=module)
    }
    working = any(
        stack.state == "running" and stack.cpu_s > 0
        for name, stacks in threads.items()
        if name not in found
        for stack in stacks
        if any(owns(frame.function) for frame in stack.frames)
    )
    return frozenset(found if working else found - {MAIN})


def _only_waits(
    stacks: Iterable[Stack], *, owns: Callable[[Function], bool], module: Modules
) -> bool:
    standing_s = whole_s = 0.0
    for stack in stacks:
        own = [frame for frame in stack.frames if owns(frame.function)]
        if not own:
            continue
        whole_s += stack.wall_s
        if _is_tick(own, stack, module=module):  # one that was seen waking up counts as running
            standing_s += max(0.0, stack.wall_s - stack.cpu_s)
    return whole_s > 0 and standing_s >= IDLE_PART * whole_s


def _is_tick(own: list[Frame], stack: Stack, *, module: Modules) -> bool:
    """Whether a thread's own loop waits here, or its only own function waits once."""
    text = [_source(frame, module) for frame in own]
    source = text[-1]
    if source is None or any(
        outer is not None and frame.line in outer.loop_lines
        for outer, frame in zip(text[:-1], own, strict=False)
    ):
        return False
    line = own[-1].line
    waits = [
        node
        for node in source.module.at_line(line)
        if isinstance(node, ast.Call) and method(node) in TICKS | ENDS
    ]
    if line in source.loop_lines:
        return any(_paces(source, node) for node in waits)
    return len(own) == 1 and any(_awaits_an_end(source, node, stack=stack) for node in waits)


def _source(frame: Frame, module: Modules) -> FunctionSource | None:
    known = module(frame.function.file)
    return known.function_at(frame.line) if known else None


def _paces(source: FunctionSource, wait: ast.Call) -> bool:
    """Whether it is the `while` loop's own pause, and no piece of work comes with a turn."""
    loops = source.loops_around(wait)
    if not loops or not all(isinstance(loop, ast.While) for loop in loops):
        return False
    return not any(
        isinstance(node, ast.Call) and method(node) in TAKES for node in ast.walk(loops[-1])
    )


def _awaits_an_end(source: FunctionSource, wait: ast.Call, *, stack: Stack) -> bool:
    """Whether it waits for what was begun elsewhere: a program of its own is its work."""
    if method(wait) not in ENDS or not isinstance(wait.func, ast.Attribute):
        return False
    receiver = wait.func.value
    made_here = isinstance(receiver, ast.Name) and receiver.id in source.assigned
    communicates = any(
        is_file(frame.function.file, "subprocess.py")
        and simple(frame.function) != "wait"
        and not simple(frame.function).startswith("_")
        for frame in stack.frames
    )
    return not made_here and not communicates
