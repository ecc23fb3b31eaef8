"""Who answers for time that no rule explains: the function itself, or the loop that calls it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource

UNEXPLAINED = 0.45  # how much of a hot function's time vanishes when nobody knows why it is hot
LOOPING = 0.15  # and of the time of what its loops call
PASSING = 0.03  # and of what it calls once
BEHIND = 0.7  # callers stay behind the hottest function: they are named, not accused
MODULE_LEVEL = 0.1


def fallbacks(run: Run) -> Iterator[Claim]:
    """Claims of unknown kind for all places with time."""
    best = 0.0
    for place in run.places:
        if place.charged:
            claim = _unknown(place, place.charged | _of_tiny_helpers(place), weight=UNEXPLAINED)
            best = max(best, UNEXPLAINED * run.share(claim.samples))
            yield claim
    for place in run.places:
        share = run.share(place.passed)
        if place.passed - place.charged and share:
            weight = LOOPING if _loops_over_callees(place) else PASSING
            yield _unknown(place, place.passed, weight=min(weight, BEHIND * best / share))
    for place in run.module_places:
        if place.charged:
            yield _unknown(place, place.charged, weight=MODULE_LEVEL)


def _loops_over_callees(place: Place) -> bool:
    lines = place.source.loop_lines if place.source else frozenset[int]()
    looped = frozenset(n for line in lines & place.through.keys() for n in place.through[line])
    return place.run.seconds(looped - place.charged) >= 0.5 * place.run.seconds(
        place.passed - place.charged
    )


def _unknown(place: Place, samples: frozenset[int], *, weight: float) -> Claim:
    share = place.run.share(samples)
    return Claim(
        function=place.function,
        kind=BottleneckKind.UNKNOWN,
        evidence=f"{100 * share:.0f} % of the time was spent here; why is not known",
        confidence=weight,
        samples=samples,
    )


def _of_tiny_helpers(place: Place) -> frozenset[int]:
    """Own time of helpers without a loop that almost only this function's loops call.

    Such a helper cannot be made cheaper; calling it less often can.
    """
    if place.source is None:
        return frozenset()
    found = frozenset[int]()
    for helper in place.run.places:
        if helper is place or helper.source is None or not _is_tiny(helper.source):
            continue
        mine = helper.charged & place.passed
        if place.run.seconds(mine) < 0.8 * helper.self_s:
            continue
        name = helper.source.node.name
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
