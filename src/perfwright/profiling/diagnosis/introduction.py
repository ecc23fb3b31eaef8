"""Where a repetition begins: a program that is fed the same input repeats all that it does."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from perfwright.profiling.arguments import MAX_KEYS
from perfwright.profiling.diagnosis.run import MIN_OCCASIONS, MODULE, Run
from perfwright.profiling.diagnosis.samples import Sample
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.model import Function

MIN_VARYING = 0.4  # of the time must come from where the repetition begins
WITHIN = 2  # times that different arguments must occur within one call of a caller

Way = tuple[tuple[Function, int], ...]


def is_introduced(
    run: Run, samples: Iterable[int], *, of: Function, distinct: int, occasions: int
) -> bool:
    """Whether calls of a function repeat while its callers are given something else each time.

    Args:
        samples: Of the function.
        distinct: Different arguments that it was given,
        occasions: in so many calls that were looked at.
    """
    ways: dict[Way, set[int]] = {}
    for number in samples:
        ways.setdefault(_outward(run.samples[number], of), set()).add(number)
    calls, ratio = run.called.get(of, 0), distinct / max(1, occasions)
    varying_s = sum(
        run.seconds(numbers)
        for way, numbers in ways.items()
        if _begins(run, way, calls=calls, distinct=distinct, ratio=ratio)
    )
    return varying_s >= MIN_VARYING * run.seconds(n for each in ways.values() for n in each) > 0


def _outward(sample: Sample, function: Function) -> Way:
    """Own functions around it, nearest first, without the outermost: it starts the program."""
    depth = next(i for i, step in enumerate(sample.steps) if step.function == function)
    around = [s for s in sample.steps[:depth] if s.own and s.function.name != MODULE]
    return tuple((s.function, s.line) for s in reversed(around[1:]))


def _begins(run: Run, way: Way, *, calls: int, distinct: int, ratio: float) -> bool:
    """Whether the nearest caller of whom enough is known varies, or repeats within one call."""
    for caller, line in way:
        called = run.called.get(caller, 0)
        if called and calls >= WITHIN * distinct * called:
            return True
        theirs = run.arguments.get(caller)
        if theirs is None and _loops_unseen(run.source(caller), line):
            return True
        if theirs is None or run.occasions(caller) < MIN_OCCASIONS:
            continue
        if 0 < called <= distinct:
            return False  # its few calls go through the same, which may be all there is
        part = theirs.distinct / run.occasions(caller)
        return theirs.distinct >= MAX_KEYS or (part >= 0.5 and part >= 2 * ratio)
    return False


def _loops_unseen(source: FunctionSource | None, line: int) -> bool:
    """Whether a generator or coroutine, which is not looked at, calls it from a loop."""
    return (
        source is not None
        and line in source.loop_lines
        and (
            isinstance(source.node, ast.AsyncFunctionDef)
            or any(isinstance(node, ast.Yield | ast.YieldFrom) for node in source.nodes)
        )
    )
