"""Who remembers the results of a function, and under which key."""

from __future__ import annotations

import ast

from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.samples import simple
from perfwright.profiling.diagnosis.syntax import dotted, heads, method

MOST = 0.6  # of the time of a function


def remembering(place: Place) -> Place | None:
    """The caller that keeps the results under a key of its making, if nearly all go there.

    A cache class that is given the key cannot know better: then it is who gives it the key.
    """
    around = _main_caller(place)
    if around is None:
        return None
    caller, lines = around
    keys = _keys(caller, lines, called=simple(place.function))
    if not keys:
        return None
    source = caller.source
    if source is not None and all(heads(key) <= source.parameters for key in keys):
        further = _main_caller(caller)
        return further[0] if further is not None else None
    return caller


def _main_caller(place: Place) -> tuple[Place, set[int]] | None:
    """Who calls it nearly always, and on which lines."""
    run = place.run
    for function, samples in run.callers_of(place):
        if run.seconds(samples) < MOST * place.cumulative_s:
            return None
        lines = set[int]()
        for number in samples:
            steps = [step for step in run.samples[number].steps if step.own]
            inner = next(i for i, step in enumerate(steps) if step.function == place.function)
            lines.add(steps[inner - 1].line)
        return run.ensure(function), lines
    return None


def _keys(caller: Place, lines: set[int], *, called: str) -> list[ast.expr]:
    """Keys under which what is called on these lines, by this name if it is named, is stored."""
    if caller.source is None:
        return []
    nodes = [node for line in lines for node in caller.source.module.at_line(line)]
    named = any(isinstance(node, ast.Call) and method(node) == called for node in nodes)
    found: list[ast.expr] = []
    for node in caller.source.nodes:
        if not isinstance(node, ast.Assign) or not lines & _lines(node):
            continue
        stored = [t for t in node.targets if isinstance(t, ast.Subscript)]
        calls = [n for n in ast.walk(node.value) if isinstance(n, ast.Call)]
        fits = any(method(n) == called for n in calls) if named else node.value in calls
        if fits and all(_is_looked_up(caller, t.value) for t in stored):
            found += [t.slice for t in stored]
    return found


def _lines(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _is_looked_up(caller: Place, memo: ast.expr) -> bool:
    """Whether the caller also reads what it stores into."""
    path = dotted(memo)
    nodes = caller.source.nodes if caller.source is not None else ()
    return bool(path) and sum(dotted(n) == path for n in nodes) > 1
