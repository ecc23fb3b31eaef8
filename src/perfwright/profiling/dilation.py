"""Takes out of sampled times what counting every call added to them.

Under cProfile a program runs up to several times slower, and functions that call much most of all:
their share of the samples is not their share of the program. CPython 3.11 moreover runs without its
specialised instructions meanwhile. Both are measured on this machine after the run, and taken away.

One of these instructions makes a text longer in place. Without it `text += more` copies the text
each time, and a loop of them, fast in truth, looks quadratic: what the samples say of such a line
is worth nothing, and it is given no more than its function's other lines have.
"""

from __future__ import annotations

import ast
import cProfile
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from perfwright.profiling.diagnosis.landing import landing_lines
from perfwright.profiling.diagnosis.source import FunctionSource, ModuleSource
from perfwright.profiling.model import Call, Frame, Function, Stack

COPIES_TEXT = sys.version_info < (3, 12)
"""Whether counting takes the instruction away that makes a local text longer in place."""
LEAST_SHARE = 0.15
"""Of a function's sampled time, always left to it: loops of empty calls run 5 times slower under
cProfile (CPython 3.11), and nothing was seen to run 7 times slower."""
_LOOPS, _ROUNDS = 2_000, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingCost:
    """What counting adds."""

    python_s: float
    """To a call of a Python function; spent in the function that is called."""
    builtin_s: float
    """To a call of a C function; spent in the function that calls."""
    interpreting_ratio: float
    """How many times as long interpreted code takes that calls nothing; 1 or more."""


def measure_counting() -> CountingCost:
    """Measure on this machine what cProfile adds to a call; takes some 20 ms."""
    plain_s, counted_s = _both_s(_call_nothing)
    ratio = max(1.0, counted_s / plain_s) if plain_s else 1.0
    return CountingCost(
        python_s=_added_s(_call_python, ratio=ratio),
        builtin_s=_added_s(_call_builtin, ratio=ratio),
        interpreting_ratio=ratio,
    )


def without_counting(
    stacks: Iterable[Stack],
    calls: Sequence[Call],
    *,
    cost: CountingCost,
    lines: Mapping[str, Lines] | None = None,
) -> tuple[Stack, ...]:
    """Return the stacks with the times that they would have had, had nobody counted calls.

    Args:
        stacks: As sampled while calls were counted.
        calls: What was counted.
        cost: What counting adds here.
        lines: What is known of the lines of each file.
    """
    known = lines or {}

    def is_at(frame: Frame, kind: Callable[[Lines], frozenset[int]]) -> bool:
        found = known.get(frame.function.file)
        return found is not None and frame.line in kind(found)

    stacks = tuple(stacks)
    if COPIES_TEXT:
        stacks = _without_copies(stacks, lambda frame: is_at(frame, lambda each: each.adding))
    seen_s: defaultdict[Function, float] = defaultdict(float)
    for stack in stacks:
        seen_s[_innermost(stack)] += stack.cpu_s
    counted = _by_function(calls, cost)

    def corrected(stack: Stack) -> Stack:
        where = _innermost(stack)
        if where not in counted:
            return stack
        scans = is_at(stack.frames[-1], lambda each: each.scanning)
        ratio = 1.0 if scans else cost.interpreting_ratio
        return _shrunk(stack, counted[where], of_s=seen_s[where], ratio=ratio)

    return tuple(corrected(stack) for stack in stacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of a file whose time counting changes in another way."""

    adding: frozenset[int] = frozenset()
    """They add to a plain name, `text += more`. Numbers and lists are added to in the same way;
    they lose little by being taken for texts."""
    scanning: frozenset[int] = frozenset()
    """They search or copy by an operator, which runs as fast as ever: `x in rows`, `rows[1:]`; or
    they are where the time of that is seen."""


def lines_of(source: str) -> Lines:
    """Find such lines; none if the source is no Python."""
    module = ModuleSource.parse(source, file="")
    if module is None:
        return Lines()
    nodes = [node for node in ast.walk(module.tree) if isinstance(node, ast.stmt | ast.expr)]
    landings = (
        landing_lines(function, node) - _heads(function)
        for function in module.functions
        for node in function.nodes
        if _scans(node)
    )
    return Lines(
        adding=frozenset(node.lineno for node in nodes if _adds(node)),
        scanning=frozenset(node.lineno for node in nodes if _scans(node)).union(*landings),
    )


def _heads(function: FunctionSource) -> set[int]:
    """Return where functions and loops begin: all of a loop's turns are seen there."""
    loops = (node.lineno for node in function.nodes if isinstance(node, ast.For | ast.While))
    return {function.first_line, function.node.lineno, *loops}


def _adds(node: ast.AST) -> bool:
    match node:
        case ast.AugAssign(op=ast.Add(), target=ast.Name()):
            return True
        case _:
            return False


def _scans(node: ast.AST) -> bool:
    match node:
        case ast.Compare(ops=ops):
            return any(isinstance(each, ast.In | ast.NotIn) for each in ops)
        case ast.Slice():
            return True
        case _:
            return False


def _without_copies(
    stacks: tuple[Stack, ...], copies: Callable[[Frame], bool]
) -> tuple[Stack, ...]:
    lines_s: defaultdict[Function, defaultdict[int, float]] = defaultdict(
        lambda: defaultdict(float)
    )
    doubtful: defaultdict[Function, float] = defaultdict(float)
    for stack in stacks:
        frame = stack.frames[-1]
        if copies(frame):
            doubtful[frame.function] += stack.cpu_s
        else:
            lines_s[frame.function][frame.line] += stack.cpu_s

    def left(stack: Stack) -> float:
        frame = stack.frames[-1]
        if not copies(frame) or not stack.cpu_s:
            return 1.0
        others = lines_s[frame.function]
        usual_s = sum(others.values()) / len(others) if others else 0.0
        return max(LEAST_SHARE, min(1.0, usual_s / doubtful[frame.function]))

    return tuple(_scaled(stack, left(stack)) for stack in stacks)


@dataclass(slots=True)
class _Counted:
    """Of one function, in seconds under the counter."""

    added_s: float = 0.0
    builtin_s: float = 0.0
    """In C functions, which run as fast as ever."""


def _by_function(calls: Iterable[Call], cost: CountingCost) -> dict[Function, _Counted]:
    counted: defaultdict[Function, _Counted] = defaultdict(_Counted)
    for call in calls:
        if call.callee.file != "~":
            counted[call.callee].added_s += call.count * cost.python_s
        elif call.caller is not None:
            caller = counted[call.caller]
            caller.added_s += call.count * cost.builtin_s
            # The counter reads its clock in the middle of what it adds.
            caller.builtin_s += max(0.0, call.self_s - call.count * cost.builtin_s / 2)
    return counted


def _shrunk(stack: Stack, counted: _Counted, *, of_s: float, ratio: float) -> Stack:
    if not of_s:
        return stack
    builtin_s = min(counted.builtin_s, of_s)
    interpreted_s = max(0.0, of_s - builtin_s - counted.added_s)
    left = min(1.0, max(LEAST_SHARE, (builtin_s + interpreted_s / ratio) / of_s))
    return _scaled(stack, left)


def _scaled(stack: Stack, left: float) -> Stack:
    """Return the stack with a part of its processor time, and as much less of all time."""
    if left == 1.0:
        return stack
    wall_s = stack.wall_s - (1.0 - left) * stack.cpu_s
    return replace(stack, cpu_s=stack.cpu_s * left, wall_s=max(0.0, wall_s))


def _innermost(stack: Stack) -> Function:
    return stack.frames[-1].function


# --- Measuring ------------------------------------------------------------------------------------


def _added_s(work: Callable[[], None], *, ratio: float) -> float:
    plain_s, counted_s = _both_s(work)
    return max(0.0, counted_s - plain_s * ratio) / _LOOPS


def _both_s(work: Callable[[], None]) -> tuple[float, float]:
    """Return the least time of several runs: alone, and under the counter."""
    pairs = [(_seconds(work), _seconds_counted(work)) for _ in range(_ROUNDS)]
    return min(plain_s for plain_s, _ in pairs), min(counted_s for _, counted_s in pairs)


def _seconds(work: Callable[[], None]) -> float:
    start_s = time.thread_time()
    work()
    return time.thread_time() - start_s


def _seconds_counted(work: Callable[[], None]) -> float:
    profile = cProfile.Profile()
    profile.enable()
    try:
        return _seconds(work)
    finally:
        profile.disable()


def _nothing() -> None:
    pass


def _call_python() -> None:
    for _ in range(_LOOPS):
        _nothing()


def _call_builtin() -> None:
    length, text = len, ""
    for _ in range(_LOOPS):
        length(text)


def _call_nothing() -> None:
    total = 0
    for number in range(_LOOPS):
        total += number * number % 7
