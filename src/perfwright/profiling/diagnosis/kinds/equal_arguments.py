"""A function is given the same few arguments again and again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from perfwright.profiling.arguments import MAX_KEYS
from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, matters, readable
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.purity import is_cached, is_pure
from perfwright.profiling.diagnosis.run import MIN_OCCASIONS, MODULE, Run
from perfwright.profiling.diagnosis.samples import Sample, simple
from perfwright.profiling.diagnosis.source import MAKERS, FunctionSource
from perfwright.profiling.diagnosis.syntax import method
from perfwright.profiling.diagnosis.traversal import is_rehearsal
from perfwright.profiling.model import Arguments, Function, Profile

MAX_DISTINCT = 0.5  # of these occasions
MIN_VARYING = 0.4  # of the time must come from callers that are given something else each time


def find(run: Run) -> Iterator[Claim]:
    """Yield pure functions whose arguments were looked at and repeat, while their callers' vary."""
    for place, source in readable(run):
        if not is_cached(source):
            yield from _equal_arguments(place, source)


def _equal_arguments(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """Calls that were seen with the same few arguments again and again."""
    seen = place.run.arguments.get(place.function)
    if seen is None or not place.calls or not matters(place, place.passed, part=0.0):
        return
    occasions = place.run.occasions(place.function)
    if occasions < MIN_OCCASIONS or seen.distinct > MAX_DISTINCT * occasions:
        return
    if source.node.name in MAKERS and not source.parameters:
        return  # each needs an object of its own
    if not is_pure(place.run, place) or _is_rehearsed(place) or _returns_nothing(source):
        return
    if not _is_introduced(place, seen.distinct / occasions):
        return
    repeated = 1 - seen.distinct / occasions
    certainty = 0.8 if seen.by_value else 0.65
    yield claim(
        place,
        BottleneckKind.REPEATED_WORK,
        samples=place.passed,
        confidence=certainty * (0.75 + 0.25 * repeated),
        evidence=f"{seen.distinct} different arguments in {occasions} of {place.calls} calls "
        "that were looked at, so most results were known already",
        nodes=[source.node],
        soft=True,
    )


def _is_introduced(place: Place, ratio: float) -> bool:
    """Whether the repetition begins with this call: its caller is given something else each time.

    A program that is fed the same input over and over repeats everything, and so does its entry.
    """
    varying_s = sum(
        place.run.seconds(samples)
        for caller, samples in place.run.callers_of(place)
        if _varies(place.run, caller, samples=samples, ratio=ratio)
    )
    return varying_s >= MIN_VARYING * place.cumulative_s


def _varies(run: Run, caller: Function, *, samples: frozenset[int], ratio: float) -> bool:
    if all(_entry(run.samples[n]) == caller for n in samples):
        return False
    seen, calls = run.arguments.get(caller), run.called.get(caller, 0)
    if seen is None or calls == 1 or seen.distinct >= MAX_KEYS:
        return True
    theirs = seen.distinct / max(1, run.occasions(caller))
    return theirs >= 0.5 and theirs >= 2 * ratio


def _entry(sample: Sample) -> Function | None:
    """The outermost own function, that of the module left out."""
    return next((s.function for s in sample.steps if s.own and s.function.name != MODULE), None)


def _is_rehearsed(place: Place) -> bool:
    """Whether a loop that only counts its turns is what calls it again."""
    for function, _ in place.run.callers_of(place):
        source = place.run.source(function)
        for loop in source.nodes if source else ():
            if is_rehearsal(loop) and any(
                isinstance(n, ast.Call) and method(n) == _called_as(place) for n in ast.walk(loop)
            ):
                return True
    return False


def _called_as(place: Place) -> str:
    name = simple(place.function)
    owner = place.source.owner if place.source else None
    return owner.name if name == "__init__" and owner is not None else name


def _returns_nothing(source: FunctionSource) -> bool:
    return source.node.name not in MAKERS and not any(
        isinstance(node, ast.Return) and node.value is not None for node in source.nodes
    )


_TEXT = """
    def zones(country):
        return {code: code * len(country) for code in range(1000)}
    def quote(parcel):
        return zones(parcel.country)[parcel.code]
    def quotes(parcels):
        for parcel in parcels:
            yield quote(parcel)
"""


def _run(distinct: int) -> Profile:
    seen = example(
        _TEXT,
        ("yield quote(parcel)", "zones(parcel.country)", "return {code"),
        calls={("return zones", "def zones"): 1000, ("yield quote", "def quote("): 1000},
    )
    zones, quote = (frame_of(_TEXT, f"def {name}(").function for name in ("zones", "quote"))
    return replace(
        seen,
        arguments=(
            Arguments(function=zones, looks=100, distinct=distinct, by_value=True),
            Arguments(function=quote, looks=100, distinct=100, by_value=False),
        ),
    )


RULE = KindRule(
    id="equal-arguments",
    kind=BottleneckKind.REPEATED_WORK,
    title="Remember results by their arguments",
    why="The answer to most calls was known already.",
    limits="Only some calls are looked at; a program fed the same input over and over repeats all.",
    find=find,
    fires_on=_run(4),
    silent_on=_run(95),
)
