"""A collection is sorted again after each small change, or for each element."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import (
    claim,
    is_called_often,
    matters,
    readable,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.executions import is_small
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource, Loop
from perfwright.profiling.diagnosis.syntax import (
    flows,
    heads,
    is_invariant,
    names_in,
    paths,
    text,
    turn_nodes,
)
from perfwright.profiling.diagnosis.traversal import element_names, is_rehearsal


def find(run: Run) -> Iterator[Claim]:
    """Yield sorts within loops, and in functions called often that sort what they keep."""
    for place, source in readable(run):
        for node in source.nodes:
            what = _sorted(node)
            if what is None:
                continue
            certainty = _is_again(node, what, source=source)
            if not certainty and is_called_often(place):
                kept = _is_kept(place, source, what=what) or _is_given_again(place, what)
                certainty = 0.8 if kept else 0.0
            samples = place.passed_on(node)
            if certainty and matters(place, samples) and not is_small(place, node, samples=samples):
                yield claim(
                    place,
                    BottleneckKind.SORT_IN_LOOP,
                    samples=samples,
                    confidence=certainty,
                    evidence=f"`{text(node)}` sorts everything again each time",
                    nodes=[node],
                )


def _is_kept(place: Place, source: FunctionSource, *, what: ast.expr) -> bool:
    """Whether a global, or the object, keeps it from call to call."""
    of_another = place.run.differs(place.function, "self")
    return any(
        path in source.module.globals or (path.startswith("self.") and not of_another)
        for path in paths(what)
    )


def _is_given_again(place: Place, what: ast.expr) -> bool:
    """Whether the function was seen to be called with the same list, which it sorts each time."""
    return isinstance(what, ast.Name) and place.run.equal(place.function, what.id)


def _sorted(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Call(func=ast.Name(id="sorted"), args=[what, *_]):
            return what
        case ast.Call(func=ast.Attribute(value=what, attr="sort")):
            return what
        case _:
            return None


def _is_again(node: ast.AST, what: ast.expr, *, source: FunctionSource) -> float:
    loops = [
        loop
        for loop in source.loops_around(node)
        if not is_rehearsal(loop) or not is_invariant(what, loop)
    ]
    if not loops or any(heads(what) & _made_anew(loop) for loop in loops):
        return 0.0
    in_place = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    if in_place or any(is_invariant(what, loop) for loop in loops):
        return 0.85
    # Sorting what belongs to the turn, as `sorted(order.lines)`, happens once for each of them.
    return 0.0 if heads(what) & element_names(loops) else 0.8


def _made_anew(loop: Loop) -> set[str]:
    """Names that a turn gives a value which does not come from the last turn's."""
    return {
        name
        for node in turn_nodes(loop)
        for target, value in flows(node)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.withitem)
        for name in names_in(target)
        if name not in heads(value)
    }


_TEXT = """
    def best(offers):
        board = []
        for offer in offers:
            board.append(offer)
            board.sort()
        return board
    def tidy(orders):
        for order in orders:
            yield sorted(order.lines)
"""
RULE = KindRule(
    id="sort-in-loop",
    kind=BottleneckKind.SORT_IN_LOOP,
    title="Sort once, or keep a heap or a sorted list",
    why="A sort looks at every element, even where one has changed.",
    limits="A sort of a fresh list in a function called often may be needed.",
    find=find,
    fires_on=example(_TEXT, ("board.sort()",)),
    silent_on=example(_TEXT, ("sorted(order.lines)",)),
)
