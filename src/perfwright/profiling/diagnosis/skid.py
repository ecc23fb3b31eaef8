"""Gives samples back to where their time went: those taken late lie behind it.

A return is no place where the interpreter can be interrupted, nor is the operation before it. So
the last operation of a function is seen in its caller. Where calls were counted, their times say
which of the two it was.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from perfwright.profiling.diagnosis.landing import QUICK
from perfwright.profiling.diagnosis.samples import Sample, Step, simple
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import method
from perfwright.profiling.model import Function

if TYPE_CHECKING:
    from perfwright.profiling.diagnosis.run import Run

MIN_PART = 0.3  # of a caller's own time that must be in excess before any of it is moved


def back_edge(source: FunctionSource, line: int) -> int:
    """The line for a sample at the first line of a function with loops.

    The jump back of a loop that ends with a block has no line of its own, so a sampler names the
    first line; which loop it was is not known: the innermost runs most often.
    """
    if line not in {source.first_line, source.node.lineno} or not source.loop_lines:
        return line
    loops = [
        node
        for node in source.nodes
        if isinstance(node, ast.For | ast.While) and isinstance(node.body[-1], ast.If | ast.Try)
    ]
    if not loops:
        return line
    deepest = max(loops, key=lambda loop: len(source.loops_around(loop)))
    return deepest.body[-1].lineno


def settled(run: Run) -> list[Sample]:
    """The samples, those of callers moved to callees as far as counted times demand it."""
    if not run.profile.calls:
        return [_passed_on(run, sample) for sample in run.samples]
    counted, calls = _counted(run)
    paths = _late_paths(run, calls)
    sampled: dict[Function, float] = defaultdict(float)
    for sample in run.samples:
        if sample.steps[-1].own:
            sampled[sample.steps[-1].function] += sample.seconds
    both = counted.keys() & sampled.keys()
    counted_s = sum(counted[f] for f in counted)
    if not counted_s or not both:
        return run.samples
    scale = sum(sampled.values()) / counted_s
    moved = list(run.samples)
    for path in sorted(paths, key=lambda p: (-counted.get(p[-1], 0.0), len(p), -calls[p[:2]])):
        caller, callee = path[0], path[-1]
        surplus = sampled[caller] - scale * counted.get(caller, 0.0)
        missing = scale * counted.get(callee, 0.0) - sampled[callee]
        amount = min(surplus, missing)
        if sampled[caller] <= 0 or amount < MIN_PART * sampled[caller]:
            continue
        moved = list(_moved(run, moved, path=path, part=amount / sampled[caller]))
        sampled[caller] -= amount
        sampled[callee] += amount
    return moved


def _passed_on(run: Run, sample: Sample) -> Sample:
    """A sample at a line that does nothing but call, as one of the end of what it calls."""
    last = sample.steps[-1]
    source = run.source(last.function) if last.own and sample.state == "running" else None
    if source is None:
        return sample
    here = [n for n in source.module.at_line(last.line) if isinstance(n, ast.Call)]
    heavy = [call for call in here if method(call) not in QUICK]
    if len(heavy) != 1 or not _does_only_this(source, heavy[0], line=last.line):
        return sample
    name = method(heavy[0])
    modules = [run.module(file) for file in run.profile.sources if run.own.owns_file(file)]
    targets = [f for m in modules if m for f in m.functions if f.node.name == name]
    if len(targets) != 1 or targets[0] is source:
        return sample
    target = targets[0]
    if any(isinstance(n, ast.Call) and method(n) not in QUICK for n in target.nodes):
        return sample  # there it would have been seen
    end = target.node.body[-1]
    callee = Function(target.module.file, target.first_line, target.name)
    step = Step(callee, getattr(end, "end_lineno", end.lineno) or end.lineno, True)
    return replace(sample, steps=(*sample.steps, step), near=len(sample.steps))


def _does_only_this(source: FunctionSource, call: ast.Call, *, line: int) -> bool:
    """Whether the line's statement is a call, or a loop over calls, of what costs nothing."""
    here: ast.AST | None = call
    while here is not None and not isinstance(here, ast.stmt):
        here = source.module.parents.get(here)
    if not isinstance(here, ast.Expr | ast.Assign | ast.Return | ast.If) or here.lineno != line:
        return False
    head = here.test if isinstance(here, ast.If) else here
    return not any(map(_may_cost, ast.walk(head)))


def _may_cost(node: ast.AST) -> bool:
    """Whether an operation may take long by itself; a format of a constant does not."""
    formats = isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant)
    return isinstance(node, ast.BinOp | ast.Compare | ast.Slice) and not formats


def _counted(run: Run) -> tuple[dict[Function, float], Counter[tuple[Function, ...]]]:
    """Time in own functions themselves, and how often who of them called whom."""
    times: dict[Function, float] = defaultdict(float)
    edges = Counter[tuple[Function, ...]]()
    for call in run.profile.calls:
        if not run.own.owns(call.callee):
            continue
        callee = run.canonical(call.callee)
        times[callee] += call.self_s
        if call.caller is not None and run.own.owns(call.caller):
            caller = run.canonical(call.caller)
            if caller != callee:
                edges[caller, callee] += call.count
    return times, edges


def _late_paths(
    run: Run, calls: Mapping[tuple[Function, ...], int]
) -> Iterator[tuple[Function, ...]]:
    """From where time is seen to where it may have passed: callees, and the last that they call."""
    inner: dict[Function, list[Function]] = defaultdict(list)
    for caller, callee in calls:
        inner[caller].append(callee)
    ends = {
        function: list(_called_last(run, function, among=inner[function])) for function in [*inner]
    }
    for caller, callee in calls:
        yield caller, callee
        for end in ends.get(callee, ()):
            if end != caller:
                yield caller, callee, end


def _called_last(run: Run, function: Function, *, among: list[Function]) -> Iterator[Function]:
    source = run.source(function)
    last = ast.walk(source.node.body[-1]) if source is not None else ()
    names = {method(node) for node in last if isinstance(node, ast.Call)}
    return (callee for callee in among if simple(callee) in names)


def _moved(
    run: Run, samples: list[Sample], *, path: tuple[Function, ...], part: float
) -> Iterator[Sample]:
    caller, *below = path
    sources = [run.source(function) for function in below]
    ends = [_last_line(source) for source in sources if source is not None]
    part = min(part, 1.0)
    for sample in samples:
        if (
            len(ends) < len(below)
            or sample.steps[-1].function != caller
            or sample.state != "running"
        ):
            yield sample
            continue
        steps = (Step(function, line, True) for function, line in zip(below, ends, strict=True))
        whole = (*sample.steps, *steps)
        yield replace(
            sample,
            steps=whole,
            near=len(whole) - 1,
            seconds=part * sample.seconds,
        )
        if part < 1.0:
            yield replace(sample, seconds=(1 - part) * sample.seconds)


def _last_line(source: FunctionSource) -> int:
    last = source.node.body[-1]
    return getattr(last, "end_lineno", last.lineno) or last.lineno
