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
from perfwright.profiling.diagnosis.introduction import is_introduced
from perfwright.profiling.diagnosis.keepers import remembering
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.purity import is_cached, is_pure
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import simple
from perfwright.profiling.diagnosis.source import MAKERS, FunctionSource
from perfwright.profiling.diagnosis.syntax import method
from perfwright.profiling.diagnosis.traversal import is_rehearsal
from perfwright.profiling.model import Arguments, Profile

MIN_LOOKS = 24  # at calls; in fewer, some repeat by chance
MAX_DISTINCT = 0.5  # of these occasions
MIN_VARYING = 0.4  # of the time must come from where the repetition begins
WITHIN = 2  # times that different arguments must occur within one call of a caller
LOOK_UP_S = 2e-6  # a call that takes less is not worth remembering: as long as to look it up
LOOP_S = 0.1e-6  # the same for few short values, which a cache written in C finds
AGAIN = 1000  # calls with each of them
OBJECT_S = 10e-6  # the same where objects must be told apart first
PART = 0.1  # of the time of what makes an object, for each who asks for it
BEHIND = 0.8  # how sure it is of what is called, where who keeps its results answers for it
ASKED_DUNDERS = {"__call__", "__getattr__", "__getitem__", "__get__"}
"""Other special methods are called by the interpreter, which knows no cache."""


def find(run: Run) -> Iterator[Claim]:
    """Yield pure functions whose arguments were looked at and repeat, while their callers' vary."""
    for place, source in readable(run):
        if is_cached(source):
            yield from _forgetful_cache(place)
        else:
            yield from _equal_arguments(place, source)


def _equal_arguments(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """Calls that were seen with the same few arguments again and again."""
    seen = place.run.arguments.get(place.function)
    if seen is None or not place.calls or not matters(place, place.passed, part=0.0):
        return
    occasions = place.run.occasions(place.function)
    if occasions < MIN_LOOKS or seen.distinct > MAX_DISTINCT * occasions:
        return
    if seen.distinct >= MAX_KEYS:
        return  # nobody knows how many more there were
    if not _can_remember(source) or not _is_worth_remembering(place, seen):
        return
    if not is_pure(place.run, place) or _is_rehearsed(place) or _is_recursive(place):
        return
    if not is_introduced(
        place.run, place.passed, of=place.function, distinct=seen.distinct, occasions=occasions
    ):
        return
    repeated = 1 - seen.distinct / occasions
    certainty = (0.8 if seen.by_value else 0.65) * (0.75 + 0.25 * repeated)
    said = f"{_looked(place, seen)}, so most results were known already"
    keeper = remembering(place)
    if keeper is not None:
        yield _claim(
            place.run.ensure(keeper.function),
            samples=place.passed & keeper.passed,
            confidence=certainty,
            said=f"`{place.function.name}`: {said}, though {keeper.function.name} asks for what "
            "is kept: its key, or what keeps it, is another each time",
        )
        certainty *= BEHIND
    if source.node.name in MAKERS and source.owner is not None:
        yield from _made(place, source.owner.name, confidence=certainty, said=said)
    yield _claim(place, samples=place.passed, confidence=certainty, said=said)


def _made(place: Place, name: str, *, confidence: float, said: str) -> Iterator[Claim]:
    """Who makes equal objects: a class cannot give out one that it has made before."""
    for caller, samples in place.run.callers_of(place):
        if place.run.seconds(samples) >= PART * place.cumulative_s:
            yield _claim(
                place.run.ensure(caller),
                samples=samples,
                confidence=confidence,
                said=f"`{name}` is made here: {said}",
            )


def _forgetful_cache(place: Place) -> Iterator[Claim]:
    """A cached function that is called, so was not remembered, with the same arguments."""
    seen, occasions = place.run.arguments.get(place.function), place.run.occasions(place.function)
    if seen is None or not place.calls or not matters(place, place.passed, part=0.0):
        return
    if occasions >= MIN_LOOKS and 4 * seen.distinct <= min(occasions, place.calls):
        said = f"{_looked(place, seen)}, although a decorator keeps results: too few of them"
        yield _claim(place, samples=place.passed, confidence=0.8, said=said)


def _looked(place: Place, seen: Arguments) -> str:
    sets = "set" if seen.distinct == 1 else "sets"
    return (
        f"{place.run.occasions(place.function)} of {place.calls} calls were looked at, and had "
        f"{seen.distinct} different {sets} of arguments"
    )


def _claim(place: Place, *, samples: frozenset[int], confidence: float, said: str) -> Claim:
    return claim(
        place,
        BottleneckKind.REPEATED_WORK,
        samples=samples,
        confidence=confidence,
        evidence=said,
        nodes=[place.source.node] if place.source is not None else (),
        soft=True,
    )


def _can_remember(source: FunctionSource) -> bool:
    """Whether it gives a result that could be given again."""
    name = source.node.name
    if name in MAKERS:
        return bool(source.parameters)  # else each needs an object of its own
    special = name.startswith("__") and name.endswith("__")
    return not _returns_nothing(source) and (not special or name in ASKED_DUNDERS)


def _is_worth_remembering(place: Place, seen: Arguments) -> bool:
    """Whether a call takes longer than a look in a cache; if it is short, a loop must be in it."""
    calls = place.calls or 1
    cost_s = place.cumulative_s / calls
    if not seen.by_value:
        return cost_s >= OBJECT_S
    often = calls >= AGAIN * seen.distinct and _loops(place)
    return cost_s >= (LOOP_S if often else LOOK_UP_S)


def _loops(place: Place) -> bool:
    """Whether it, or an own function that it calls, goes through something."""
    called = (place.run.source(other) for other, _ in place.run.callees_of(place))
    return any(source.loop_lines for source in (place.source, *called) if source is not None)


def _is_recursive(place: Place) -> bool:
    """Whether it calls itself: then objects on the way down are the same for many inner calls."""
    return place.run.edges.get((place.function, place.function.name), 0) > 0.5 * (place.calls or 0)


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
