"""Who answers for time that no rule explains: the function itself, or the loop that calls it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim
from perfwright.profiling.diagnosis.evidence import percent
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import MODULE, Run
from perfwright.profiling.diagnosis.samples import Step, simple
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import text
from perfwright.profiling.model import Function

T = TypeVar("T")

UNEXPLAINED = 0.45  # how much of a hot function's time vanishes when nobody knows why it is hot
LOOPING = 0.15  # and of the time of what its loops call
PASSING = 0.03  # and of what it calls once
BEHIND = 0.7  # callers stay behind the hottest function: they are named, not accused
MODULE_LEVEL = 0.1


def fallbacks(run: Run) -> Iterator[Claim]:
    """Claims of unknown kind for all places with time."""
    best = 0.0
    tiny = [place for place in run.places if place.source and _is_tiny(place.source)]
    for place in run.places:
        if place.charged:
            samples = place.charged | _of_helpers(place, tiny)
            claim = _unknown(place, samples, weight=UNEXPLAINED, what=_spent(place))
            best = max(best, UNEXPLAINED * run.share(claim.samples))
            yield claim
    for place in run.places:
        share = run.share(place.passed)
        if place.passed - place.charged and share:
            looping = _loops_over_callees(place) and not _is_entry(place)
            weight = LOOPING if looping else PASSING
            weight = min(weight, BEHIND * best / share)
            yield _unknown(place, place.passed, weight=weight, what=_passed_on(place))
    for place in run.module_places:
        if place.charged:
            yield _unknown(place, place.charged, weight=MODULE_LEVEL, what=_spent(place))


def _is_entry(place: Place) -> bool:
    """Whether it starts the program: it is called once, and nothing own is around it."""
    around = (s.own and s.function.name != MODULE for n in place.passed for s in _before(place, n))
    return (place.calls or 1) <= 1 and not any(around)


def _before(place: Place, number: int) -> tuple[Step, ...]:
    steps = place.run.samples[number].steps
    return steps[: next(i for i, step in enumerate(steps) if step.function == place.function)]


def _loops_over_callees(place: Place) -> bool:
    lines = place.source.loop_lines if place.source else frozenset[int]()
    looped = frozenset(n for line in lines & place.through.keys() for n in place.through[line])
    return place.run.seconds(looped - place.charged) >= 0.5 * place.run.seconds(
        place.passed - place.charged
    )


def _unknown(place: Place, samples: frozenset[int], *, weight: float, what: str) -> Claim:
    return Claim(
        function=place.function,
        kind=BottleneckKind.UNKNOWN,
        evidence=f"{percent(place, samples)} of the time {what}",
        confidence=weight,
        samples=samples,
    )


def _spent(place: Place) -> str:
    """Where most of its own time goes: on which line, and in which library."""
    line, part = _most(place.run, {line: frozenset(ids) for line, ids in place.at.items()})
    where = f", {part} of it on line {line}{_done_on(place, line)}" if part else ""
    below: dict[str, set[int]] = defaultdict(set)
    for number in place.charged:
        foreign = place.run.samples[number].foreign
        below[_shown(foreign[0].function) if foreign else ""].add(number)
    library, part = _most(place.run, {name: frozenset(ids) for name, ids in below.items()})
    inside = f", {part} in {library}" if library and part else ""
    return f"was spent here{where}{inside}; why is not known"


def _passed_on(place: Place) -> str:
    """What it calls that takes most of the time below it."""
    below: dict[str, set[int]] = defaultdict(set)
    for number in place.passed - place.charged:
        owners = [step.function for step in place.run.samples[number].steps if step.own]
        inner = owners[len(owners) - owners[::-1].index(place.function) :]
        below[inner[0].name if inner else ""].add(number)
    callee, part = _most(place.run, {name: frozenset(ids) for name, ids in below.items()})
    return "passed in what it calls" + (f", {part} in `{callee}`" if callee and part else "")


def _most(run: Run, parts: Mapping[T, frozenset[int]]) -> tuple[T | None, str]:
    """The part with the most time, and how much that is: empty if it is less than half."""
    whole_s = sum(run.seconds(ids) for ids in parts.values())
    best = max(parts, key=lambda part: run.seconds(parts[part]), default=None)
    ratio = run.seconds(parts[best]) / whole_s if best is not None and whole_s else 0.0
    return best, "nearly all" if ratio > 0.9 else "most" if ratio > 0.5 else ""


def _done_on(place: Place, line: int | None) -> str:
    """The outermost call on a line, as text."""
    nodes = place.source.module.at_line(line) if place.source and line else ()
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.lineno == line]
    outermost = min(calls, key=lambda call: call.col_offset, default=None)
    return f" (`{text(outermost)}`)" if outermost is not None else ""


def _shown(function: Function) -> str:
    """A library's function with its package: `jinja2.Template.render`."""
    _, _, inside = function.file.replace("\\", "/").rpartition("-packages/")
    package = inside.partition("/")[0].removesuffix(".py")
    return f"`{package}.{function.name}`" if package else f"`{function.name}`"


def _of_helpers(place: Place, helpers: Iterable[Place]) -> frozenset[int]:
    """Own time of those of the tiny helpers that almost only this function's loops call.

    Such a helper cannot be made cheaper; calling it less often can.
    """
    if place.source is None:
        return frozenset()
    found = frozenset[int]()
    for helper in helpers:
        mine = helper.charged & place.passed
        if not mine or helper is place or place.run.seconds(mine) < 0.8 * helper.self_s:
            continue
        name = simple(helper.function)
        if any(place.source.loops_around(node) for node in _callers(place.source, name)):
            found |= mine
    return found


def _is_tiny(source: FunctionSource) -> bool:
    statements = sum(isinstance(node, ast.stmt) for node in source.nodes)
    return statements <= 3 and not any(isinstance(n, ast.Call) for n in source.nodes)


def _callers(source: FunctionSource, name: str) -> Iterator[ast.AST]:
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called == name:
                yield node
            case ast.Attribute(attr=attr) if attr == name:
                yield node
