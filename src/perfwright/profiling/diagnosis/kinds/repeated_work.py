"""A function asks for the same result again: in each turn of a loop, or twice in a statement."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.asking import asked_name, calls_on_line, is_cheap
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import (
    claim,
    matters,
    readable,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.feeding import is_fed
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.purity import (
    is_pure,
    own_below,
    own_callees,
)
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    IMPURE,
    MUTATORS,
    changes,
    dotted,
    is_invariant,
    method,
    text,
)
from perfwright.profiling.diagnosis.traversal import is_rehearsal


def find(run: Run) -> Iterator[Claim]:
    """Yield calls that a loop repeats unchanged, and those written twice in one statement."""
    for place, source in readable(run):
        yield from _unchanged_in_loop(place, source)
        yield from _twice_in_a_row(place, source)


def _unchanged_in_loop(place: Place, source: FunctionSource) -> Iterator[Claim]:
    for node in source.nodes:
        if not isinstance(node, ast.Call | ast.Attribute) or not place.passed_on(node):
            continue
        name = asked_name(node, source)
        into = place.into(node, name) if name else frozenset()
        samples = into or place.charged_on(node)
        if not name or not matters(place, samples):
            continue
        loops = source.loops_around(node)
        if not any(is_invariant(node, loop) and not is_rehearsal(loop) for loop in loops):
            continue
        if _is_changed_later(node, source) or is_fed(place, node, loops=loops):
            continue
        if into:
            certainty = 0.85
            if not all(is_pure(place.run, other) for other in frozenset(own_below(place, node))):
                continue
        else:
            certainty = 0.6
            if not _is_its_own(place, source, node=node, name=name):
                continue
        yield claim(
            place,
            BottleneckKind.REPEATED_WORK,
            samples=samples,
            confidence=certainty,
            evidence=f"`{text(node)}` gives the same in each turn of the loop",
            nodes=[node],
        )


def _is_its_own(place: Place, source: FunctionSource, *, node: ast.AST, name: str) -> bool:
    """Whether the time of its lines is likely that of a call, and not of another, or waiting."""
    samples = place.charged_on(node)
    if not isinstance(node, ast.Call) or calls_on_line(source, node) > 2:
        return False
    if is_cheap(place, samples, name=name) or _waits(place, samples):
        return False
    return not _is_held(node, source) and not any(own_below(place, node))


def _is_held(call: ast.Call, source: FunctionSource) -> bool:
    """Whether an attribute of the object is called, to which functions are assigned."""
    path = dotted(call.func)
    return path in source.attributes.values or path in source.assigned


def _is_changed_later(node: ast.AST, source: FunctionSource) -> bool:
    """Whether the result gets a name and is then changed, so that a fresh one is needed."""
    parent = source.module.parents.get(node)
    if not isinstance(parent, ast.Assign) or not isinstance(parent.targets[0], ast.Name):
        return False
    name = parent.targets[0].id
    in_place = (n for n in source.nodes if not isinstance(n, ast.Name))
    return any(path.partition(".")[0] == name for path in changes(in_place))


def _twice_in_a_row(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """Equal calls of a pure own function written twice in one statement."""
    for statement in source.nodes:
        if not isinstance(statement, ast.If | ast.Assign | ast.Return | ast.IfExp):
            continue
        written: dict[str, list[ast.Call]] = defaultdict(list)
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and node.args and method(node) not in IMPURE | MUTATORS:
                written[ast.unparse(node)].append(node)
        for first, *others in written.values():
            again = [n for n in others if not _are_alternatives(first, n, source=source)]
            nodes = [first, *again]
            samples = frozenset[int]().union(*(place.into(n, method(n)) for n in again))
            called = own_callees(place, first, name=method(first))
            if matters(place, samples) and called and all(is_pure(place.run, c) for c in called):
                yield claim(
                    place,
                    BottleneckKind.REPEATED_WORK,
                    samples=samples,
                    confidence=0.65,
                    evidence=f"`{text(first)}` is written {len(nodes)} times",
                    nodes=nodes,
                )


def _are_alternatives(a: ast.AST, b: ast.AST, *, source: FunctionSource) -> bool:
    """Whether they stand in two branches, of which one is executed."""
    sides = dict[ast.AST, ast.AST]()
    for parent, child in _upward(a, source):
        sides[parent] = child
    for parent, child in _upward(b, source):
        if parent in sides:
            return (
                isinstance(parent, ast.If | ast.IfExp)
                and parent.test not in {child, sides[parent]}
                and _is_else(parent, child) != _is_else(parent, sides[parent])
            )
    return False


def _is_else(parent: ast.If | ast.IfExp, child: ast.AST) -> bool:
    return child in parent.orelse if isinstance(parent, ast.If) else child is parent.orelse


def _upward(node: ast.AST, source: FunctionSource) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Each node around it, with the part of that node which it is in."""
    parent = source.module.parents.get(node)
    while parent is not None:
        yield parent, node
        node, parent = parent, source.module.parents.get(parent)


def _waits(place: Place, samples: frozenset[int]) -> bool:
    """Whether the time is waiting for something outside, which may answer differently."""
    waiting = [n for n in samples if place.run.samples[n].state == "waiting"]
    return place.run.seconds(waiting) > 0.5 * place.run.seconds(samples)


_TEXT = """
    def rates(country):
        return {zone: zone * len(country) for zone in range(1000)}
    def quotes(parcels, country):
        for parcel in parcels:
            table = rates(country)
            yield table[parcel.zone]
    def fees(parcels):
        for parcel in parcels:
            table = rates(parcel.country)
            yield table[parcel.zone]
"""
RULE = KindRule(
    id="repeated-work",
    kind=BottleneckKind.REPEATED_WORK,
    title="Compute it once and keep it",
    why="Nothing that the result depends on has changed since the last time.",
    limits="Changes through other names for the same object are not seen.",
    find=find,
    fires_on=example(_TEXT, ("= rates(country)", "return {zone")),
    silent_on=example(_TEXT, ("= rates(parcel.country)", "return {zone")),
)
