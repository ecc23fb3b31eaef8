"""What has grown is gone through from its beginning, again and again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, is_called_often, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    TAKERS,
    changes,
    dotted,
    paths,
    text,
    touches,
    turn_nodes,
)
from perfwright.profiling.diagnosis.traversal import PASSES


def find(run: Run) -> Iterator[Claim]:
    """Yield passes over what other methods make longer, and over prefixes with a moving end."""
    for place, source in readable(run):
        for node in source.nodes:
            yield from _of_grown(place, source, node=node)


def _of_grown(place: Place, source: FunctionSource, *, node: ast.AST) -> Iterator[Claim]:
    """What other methods make longer is gone through as a whole at each call, or a prefix again."""
    whole = _gone_through(node)
    loops = source.loops_around(node)
    if whole is not None and dotted(whole).startswith("self.") and is_called_often(place):
        again = _is_grown_elsewhere(source, dotted(whole)) and not (
            place.run.differs(place.function, "self")
        )
    elif _is_prefix(node) and loops:
        end = node.args[2] if isinstance(node, ast.Call) else node
        changed = changes(turn_nodes(loops[0]))
        again = any(touches(path, changed) for path in paths(end))
    else:
        return
    samples = place.landed_on(node)
    if again and matters(place, samples, part=0.4):
        yield claim(
            place,
            BottleneckKind.QUADRATIC,
            samples=samples,
            confidence=0.7,
            evidence=f"`{text(node)}` begins from the start of what has grown, again and again",
            nodes=[node],
        )


def _gone_through(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[ast.Attribute() as what]) if name in PASSES:
            return what
        case ast.Call(
            func=ast.Attribute(value=ast.Attribute() as what, attr="find" | "index" | "count"),
            args=[_],
        ):
            return what
        case ast.Call(
            func=ast.Attribute(attr="search" | "findall"), args=[ast.Attribute() as what]
        ):
            return what
        case ast.For(iter=ast.Attribute() as what):
            return what
        case _:
            return None


def _is_grown_elsewhere(source: FunctionSource, path: str) -> bool:
    """Whether a method puts something into it, and none takes anything out."""
    grown = False
    for other in source.module.functions:
        if other.owner is not source.owner or other.node.name == "__init__":
            continue
        for node in other.nodes:
            match node:
                case ast.Call(func=ast.Attribute(value=value, attr=attr)) if dotted(value) == path:
                    if attr in TAKERS | {"clear"}:
                        return False
                    grown = grown or attr in {"append", "extend", "add", "insert", "update"}
                case ast.AugAssign(target=target) if dotted(target) == path:
                    grown = True
                case ast.Delete() | ast.Assign() if path in changes([*ast.walk(node)]):
                    return False
                case _:
                    pass
    return grown


def _is_prefix(node: ast.AST) -> bool:
    """`text.count(",", 0, end)`."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="count" | "find" | "index"), args=[_, ast.Constant(value=0), _]
        ):
            return True
        case _:
            return False


_TEXT = """
    class Series:
        def add(self, value):
            self.values.append(value)
        def mean(self):
            return sum(self.values)
    class Window:
        def mean(self):
            return sum(self.sizes)
    def watch(series, window, values):
        for value in values:
            series.add(value)
            series.mean()
            window.mean()
"""
RULE = KindRule(
    id="from-the-start",
    kind=BottleneckKind.QUADRATIC,
    title="Carry on from where the last pass ended",
    why="Each pass is longer than the one before, by what was looked at already.",
    limits="Growth through other names for the same collection is not seen.",
    find=find,
    fires_on=example(_TEXT, ("series.mean()", "return sum(self.values)")),
    silent_on=example(_TEXT, ("window.mean()", "return sum(self.sizes)")),
)
