"""Questions that several rules ask about a place."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import is_invariant
from perfwright.profiling.model import Function

MIN_SHARE = 0.03  # of the run; a smaller one is not worth a person's time
OFTEN = 10  # calls


def readable(run: Run) -> Iterator[tuple[Place, FunctionSource]]:
    """Places whose source is known and that cost enough to be looked at."""
    for place in run.places:
        if place.source is not None and run.share(place.passed) >= MIN_SHARE:
            yield place, place.source


def is_called_often(place: Place) -> bool:
    """Whether its calls were counted to be many, or come from a loop of an own function."""
    if place.calls:
        return place.calls >= OFTEN
    return any(is_below_loop(place, number) for number in place.passed)


def is_below_loop(place: Place, number: int) -> bool:
    """Whether a function further out in a sample stood in a loop."""
    run = place.run
    for step in run.samples[number].steps:
        if step.function == place.function:
            return False
        source = run.source(step.function) if step.own else None
        if source is not None and step.line in source.loop_lines:
            around = [
                loop
                for node in source.module.at_line(step.line)
                for loop in source.loops_around(node)
            ]
            if not around or not all(map(_is_short, around)):
                return True
    return False


def _is_short(loop: ast.AST) -> bool:
    """Whether it turns a few times only, as the text says: `for _ in range(3)`."""
    match loop:
        case ast.For(iter=ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(n))])):
            return n <= OFTEN
        case ast.For(iter=ast.Tuple(elts=parts) | ast.List(elts=parts)):
            return len(parts) <= OFTEN
        case _:
            return False


def is_repeated(place: Place, node: ast.AST) -> bool:
    """Whether a loop of the function, or many calls of it, execute the expression again."""
    return bool(place.source and place.source.loops_around(node)) or is_called_often(place)


def is_asked_again(place: Place, source: FunctionSource) -> bool:
    """Whether a method was called at least twice for each object of its class, as counted."""
    if source.owner is None or not place.calls:
        return False
    made = sum(
        place.run.called.get(Function(other.module.file, other.first_line, other.name), 0)
        for other in source.module.functions
        if other.owner is source.owner and other.node.name in {"__init__", "__new__"}
    )
    return 0 < 2 * made <= place.calls


def same_object(place: Place, source: FunctionSource) -> bool | None:
    """Whether its calls were of few objects: by looks at them, else by the callers' text."""
    run = place.run
    if run.equal(place.function, "self"):
        return True
    if run.differs(place.function, "self"):
        return False
    for function, _ in run.callers_of(place):
        caller = run.source(function)
        for node in caller.nodes if caller else ():
            if caller and isinstance(node, ast.Attribute) and node.attr == source.node.name:
                loops = caller.loops_around(node)
                if loops:
                    return any(is_invariant(node.value, loop) for loop in loops)
    return None


def matters(place: Place, samples: Iterable[int], *, part: float = 0.3) -> bool:
    """Whether the samples are worth a claim, and at least this part of the place's own time."""
    samples = frozenset(samples)
    seconds = place.run.seconds(samples)
    return (
        place.run.share(samples) >= MIN_SHARE
        and seconds > 0
        and seconds >= part * place.run.seconds(place.charged | samples)
    )


def percent(place: Place, samples: Iterable[int]) -> str:
    """Part of the run as text."""
    return f"{100 * place.run.share(samples):.0f} %"


def claim(
    place: Place,
    kind: BottleneckKind,
    *,
    samples: frozenset[int],
    confidence: float,
    evidence: str,
    nodes: Iterable[ast.AST] = (),
    soft: bool = False,
) -> Claim:
    """A claim about a place, with the time in words before the evidence."""
    lines = tuple(dict.fromkeys(getattr(node, "lineno", 0) for node in nodes))
    return Claim(
        function=place.function,
        kind=kind,
        evidence=f"{percent(place, samples)} of the time: {evidence}",
        confidence=confidence,
        samples=samples,
        lines=lines or place.hottest(samples),
        soft=soft,
    )
