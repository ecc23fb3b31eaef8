"""A builtin goes through all of a collection in each turn that makes it longer or shorter."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, is_called_often, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.executions import SEARCH_S, is_small
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    callee,
    changes,
    dotted,
    paths,
    text,
    touches,
    turn_nodes,
)
from perfwright.profiling.diagnosis.traversal import PASSES, assigned_in, loop_variables

LISTS = {"list", "tuple"}
COPIES = {"len", "list"}  # of a slice, which copies it before


def find(run: Run) -> Iterator[Claim]:
    """Yield sums, joins and the like over what the turns of a loop, or calls, change in length."""
    for place, source in readable(run):
        yield from _added_up(place, source)
        for node in source.nodes:
            whole = _passed(node)
            if whole is None or not _changes_in_length(place, source, node=node, whole=whole):
                continue
            samples = place.landed_on(node)
            if matters(place, samples) and not is_small(place, node, samples=samples):
                yield claim(
                    place,
                    BottleneckKind.QUADRATIC,
                    samples=samples,
                    confidence=0.75,
                    evidence=f"`{text(node)}` goes through all of it in each turn of a loop",
                    nodes=[node],
                )


def _added_up(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """`sum(lists, [])` and `reduce(add, lists)`: all so far is copied to add each of them."""
    for node in source.nodes:
        if not _adds_lists(node, source):
            continue
        samples = place.landed_on(node)
        is_tiny = is_small(place, node, samples=samples, limit_s=SEARCH_S)
        if matters(place, samples) and not is_tiny:
            yield claim(
                place,
                BottleneckKind.QUADRATIC,
                samples=samples,
                confidence=0.8,
                evidence=f"`{text(node)}` copies all that it has so far to add each list",
                nodes=[node],
            )


def _adds_lists(node: ast.AST, source: FunctionSource) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="sum"), args=[_, begin]):
            pass
        case ast.Call(func=ast.Name(id="sum"), keywords=[ast.keyword(arg="start", value=begin)]):
            pass
        case ast.Call(args=[how, _, begin]) if callee(node, of=source) == "functools.reduce":
            return type_of(begin, of=source) in LISTS and _is_addition(how, source)
        case _:
            return False
    return type_of(begin, of=source) in LISTS


def _is_addition(how: ast.expr, source: FunctionSource) -> bool:
    match how:
        case ast.Lambda(body=ast.BinOp(op=ast.Add())):
            return True
        case ast.Attribute() | ast.Name():
            path = dotted(how)
            known = source.module.imports.get(path.partition(".")[0], "")
            return known.startswith("operator") and path.endswith(("add", "concat"))
        case _:
            return False


def _passed(node: ast.AST) -> ast.expr | None:
    """What a call goes through as a whole: `rows` of `sum(rows)`, `rows[i:]` of `len(rows[i:])`."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[ast.Name() | ast.Attribute() as whole]):
            return whole if name in PASSES else None
        case ast.Call(func=ast.Name(id=name), args=[ast.Subscript(slice=ast.Slice()) as whole]):
            return whole if name in PASSES | COPIES else None
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[whole]):
            return whole
        case _:
            return None


def _changes_in_length(
    place: Place, source: FunctionSource, *, node: ast.AST, whole: ast.expr
) -> bool:
    """Whether it is longer or shorter each time, and not made anew each time."""
    loops = source.loops_around(node)
    if loops:
        changed = changes(turn_nodes(loops[0])) | loop_variables(loops[0])
        made_anew = assigned_in(loops[0])
    elif is_called_often(place):
        changed = {path for path in changes(source.nodes) if path.startswith("self.")}
        made_anew = set[str]()
    else:
        return False
    if isinstance(whole, ast.Subscript) and isinstance(whole.slice, ast.Slice):
        ends = paths(whole) - paths(whole.value)
        return any(touches(path, changed) for path in ends)
    return any(
        touches(path, changed) and not touches(path, made_anew)
        for path in paths(whole.value if isinstance(whole, ast.Subscript) else whole)
    )


_TEXT = """
    def running_totals(rows):
        seen = []
        for row in rows:
            seen.append(row.total)
            yield sum(seen)
    def totals(orders):
        for order in orders:
            amounts = [line.amount for line in order.lines]
            yield sum(amounts)
"""
RULE = KindRule(
    id="repeated-pass",
    kind=BottleneckKind.QUADRATIC,
    title="Carry the result along from turn to turn",
    why="Each pass looks again at all that the last one looked at.",
    limits="A collection that is kept short looks the same; the time tells.",
    find=find,
    fires_on=example(_TEXT, ("yield sum(seen)",)),
    silent_on=example(_TEXT, ("yield sum(amounts)",)),
)
