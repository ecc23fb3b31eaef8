"""A recursion comes to the same arguments by many ways."""

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
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.purity import is_cached, is_pure
from perfwright.profiling.diagnosis.run import MIN_OCCASIONS, Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import dotted, paths
from perfwright.profiling.diagnosis.traversal import is_rehearsal

UPWARD = {"parent", "base", "owner", "outer", "enclosing", "container", "prev", "previous", "up",
          "super", "root"}  # fmt: skip
MOST = 0.8  # of the looks at arguments
DEEP = 3  # steps of a walk; fewer cost little


def find(run: Run) -> Iterator[Claim]:
    """Yield recursive functions that call themselves for overlapping parts and keep no results."""
    for place, source in readable(run):
        if not is_cached(source):
            yield from _branching(place, source)
            yield from _upward(place, source)


def _branching(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """A recursion that comes to the same arguments by different ways."""
    again = [
        node
        for node in source.nodes
        if isinstance(node, ast.Call) and node.args and _calls_itself(node, source)
        if not any(is_rehearsal(loop) for loop in source.loops_around(node))
    ]
    ways = len(again) + sum(bool(source.loops_around(node)) for node in again)
    if ways < 2 or not is_pure(place.run, place) or _remembers(source):
        return
    if not _recurs(place) or _differs(place):
        return
    reduced = [node for node in again if _is_reduced(node, source)]
    looked_up = not reduced and _is_looked_up(source, again)
    if not reduced and not looked_up:
        return
    samples = place.passed
    if matters(place, samples):
        yield claim(
            place,
            BottleneckKind.REPEATED_WORK,
            samples=samples,
            confidence=0.85 if reduced else 0.6,
            evidence=f"calls itself in {len(again)} places for overlapping parts of its "
            f"arguments, {place.calls or 'many'} times in all, and remembers nothing",
            nodes=again[:3],
        )


def _upward(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """A walk to the root of a tree, done again from each of its nodes."""
    name = source.node.name
    steps = [
        node
        for node in source.nodes
        if isinstance(node, ast.Attribute | ast.Name)
        and (node.attr if isinstance(node, ast.Attribute) else node.id) == name
        and isinstance(node.ctx, ast.Load)
    ]
    up = [node for node in steps if _goes_up(node, source)]
    outer = sum(place.run.callers.get(place.function, {}).values())
    deep = not outer or (place.calls or 0) >= DEEP * outer
    if not up or not is_called_often(place) or not deep or not is_pure(place.run, place):
        return
    samples = place.passed
    if matters(place, samples) and not _remembers(source):
        yield claim(
            place,
            BottleneckKind.REPEATED_WORK,
            samples=samples,
            confidence=0.7,
            evidence=f"walks all the way up from each node, {place.calls or 'many'} steps in all: "
            "what it finds for a node is part of what its children find",
            nodes=up,
        )


def _calls_itself(call: ast.Call, source: FunctionSource) -> bool:
    """Whether it is a call of the function itself, not of the one it overrides."""
    match call.func:
        case ast.Name(id=name):
            return name == source.node.name
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
            return False
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if name == source.node.name:
            known = owner in source.assigned or owner in source.parameters
            return known or owner in {"self", "cls", getattr(source.owner, "name", "")}
        case ast.Attribute(attr=name):
            return name == source.node.name
        case _:
            return False


def _recurs(place: Place) -> bool:
    """Whether it was counted to call itself often; if nothing was counted, the text decides."""
    again = place.run.edges.get((place.function, place.function.name), 0)
    return not place.calls or 2 * again >= place.calls


def _differs(place: Place) -> bool:
    """Whether looks at its calls found other arguments nearly each time."""
    seen, looks = place.run.arguments.get(place.function), place.run.occasions(place.function)
    return seen is not None and looks >= MIN_OCCASIONS and seen.distinct > MOST * looks


def _goes_up(node: ast.AST, source: FunctionSource) -> bool:
    parts: list[ast.AST] = [node]
    call = source.module.parents.get(node)
    if isinstance(call, ast.Call):
        parts += call.args
    return any(
        isinstance(n, ast.Attribute) and n.attr.strip("_") in UPWARD
        for p in parts
        for n in ast.walk(p)
    )


def _remembers(source: FunctionSource) -> bool:
    names = {n.id.lower() for n in source.nodes if isinstance(n, ast.Name)}
    names |= {n.attr.lower() for n in source.nodes if isinstance(n, ast.Attribute)}
    return any(word in name for name in names for word in ("memo", "cache", "seen", "visited"))


def _is_reduced(node: ast.Call, source: FunctionSource) -> bool:
    """Whether an argument is a parameter made smaller: `n - 1`, `i + 1`, `rest[1:]`."""
    for argument in node.args:
        match argument:
            case ast.BinOp(op=ast.Sub() | ast.Add() | ast.FloorDiv()) if any(
                p in source.parameters for p in paths(argument)
            ):
                return _has_numbers_only(node, source)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Slice(lower=low, upper=high)) if (
                name in source.parameters
                and all(
                    part is None or isinstance(part, ast.Constant | ast.UnaryOp)
                    for part in (low, high)
                )
            ):  # halves, as `rows[:middle]`, do not overlap
                return True
    return False


def _has_numbers_only(node: ast.Call, source: FunctionSource) -> bool:
    """No argument walks down a structure, as `node.left` would: then parts do not overlap."""
    return not any(
        isinstance(part, ast.Attribute) and part.attr in {"left", "right", "children", "next"}
        for argument in node.args
        for part in ast.walk(argument)
    )


def _is_looked_up(source: FunctionSource, again: list[ast.Call]) -> bool:
    """Whether the parts come from a table keyed by a parameter, as the edges of a graph do."""
    if not any(source.loops_around(node) for node in again):
        return False
    for node in source.nodes:
        match node:
            case ast.Subscript(value=ast.Name() | ast.Attribute() as table, slice=ast.Name(id=key)):
                pass
            case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[ast.Name(id=key), *_]):
                pass
            case _:
                continue
        if key in source.parameters and dotted(table):
            return True
    return False


_TEXT = """
    def ways(steps):
        if steps < 2:
            return 1
        return ways(steps - 1) + ways(steps - 2)
    def depth(node):
        return 1 + max(depth(node.left), depth(node.right))
"""
RULE = KindRule(
    id="overlapping-recursion",
    kind=BottleneckKind.REPEATED_WORK,
    title="Remember the results of the parts",
    why="Each level doubles the calls, though the different arguments are few.",
    limits="Whether parts overlap is read from the arguments' form.",
    find=find,
    fires_on=example(_TEXT, ("return ways",)),
    silent_on=example(_TEXT, ("return 1 + max",)),
)
