"""What callers give to a function, and whether their loops give the same in each turn."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import is_invariant, method
from perfwright.profiling.diagnosis.traversal import is_rehearsal
from perfwright.profiling.model import Function

TURNS = 2  # calls for each call of the caller, on average
MOST = 0.6  # of the time of a function


def given_again(place: Place, source: FunctionSource, *, parameter: str) -> Function | None:
    """Who gives it the same for this parameter in each turn of a loop, most of the time."""
    run = place.run
    for caller, samples in run.callers_of(place):
        if run.seconds(samples) < MOST * place.cumulative_s:
            return None
        around = run.source(caller)
        counted = run.callers[place.function][caller] if place.function in run.callers else 0
        if around is None or (counted and counted < TURNS * run.called.get(caller, 1)):
            return None
        given = [
            (call, value)
            for call in _calls(place, source, caller=around, samples=samples)
            if (value := _argument(call, source, parameter=parameter)) is not None
        ]
        again = all(_is_same(around, call, value=value) for call, value in given)
        return caller if given and again else None
    return None


def _calls(
    place: Place, source: FunctionSource, *, caller: FunctionSource, samples: frozenset[int]
) -> Iterator[ast.Call]:
    """Calls in loops of the caller on the lines from which samples went into the function."""
    lines = set[int]()
    for number in samples:
        steps = [step for step in place.run.samples[number].steps if step.own]
        inner = next(i for i, step in enumerate(steps) if step.function == place.function)
        lines.add(steps[inner - 1].line)
    calls = [n for line in lines for n in caller.module.at_line(line) if isinstance(n, ast.Call)]
    named = [call for call in calls if method(call) == source.node.name]
    yield from named or (calls if len(calls) == 1 else ())


def _argument(call: ast.Call, source: FunctionSource, *, parameter: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == parameter:
            return keyword.value
    a = source.node.args
    names = [arg.arg for arg in (*a.posonlyargs, *a.args)]
    if source.owner is not None and names[:1] in (["self"], ["cls"]):
        names = names[1:]
    if parameter not in names or any(isinstance(arg, ast.Starred) for arg in call.args):
        return None
    at = names.index(parameter)
    return call.args[at] if at < len(call.args) else None


def _is_same(caller: FunctionSource, call: ast.Call, *, value: ast.expr) -> bool:
    loops = caller.loops_around(call)
    return bool(loops) and not is_rehearsal(loops[0]) and is_invariant(value, loops[0])
