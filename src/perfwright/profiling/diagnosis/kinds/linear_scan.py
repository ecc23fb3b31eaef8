"""A list is searched from its beginning where a set or dict would know."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import (
    claim,
    is_called_often,
    is_repeated,
    matters,
    readable,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.executions import SEARCH_S, is_small, seconds_each
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource, Loop
from perfwright.profiling.diagnosis.syntax import argument_of, heads, method, names_in, text
from perfwright.profiling.diagnosis.traversal import assigned_in, is_short

SCANNED = {"list", "tuple"}
HASHED = {"set", "dict", "str", "bytes", "number", "deque", "range"}
LONG_S = 5e-6
"""No hash takes as long, and of a short list no search does."""


def find(run: Run) -> Iterator[Claim]:
    """Yield membership tests, searches by method and searching loops that are done again."""
    for place, source in readable(run):
        for node in source.nodes:
            match node:
                case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.expr() as where]):
                    yield from _membership(place, source, node=node, where=where)
                case ast.Call(func=ast.Attribute(value=where, attr="index" | "remove" | "count")):
                    yield from _membership(place, source, node=node, where=where)
                case ast.For():
                    yield from _search(place, source, loop=node)
                case ast.While():
                    yield from _probing(place, source, loop=node)
                case ast.Call(
                    func=ast.Name(id="next" | "any" | "filter" | "list" | "min" | "max"),
                    args=[ast.GeneratorExp() as scan, *_],
                ):
                    yield from _filter(place, source, scan=scan)
                case ast.ListComp():
                    yield from _filter(place, source, scan=node)
                case _:
                    pass


def _membership(
    place: Place, source: FunctionSource, *, node: ast.expr, where: ast.expr
) -> Iterator[Claim]:
    kind = type_of(where, of=source) or _type_at_callers(place, where)
    if kind in HASHED or is_short(where, source) or not is_repeated(place, node):
        return
    samples = place.landed_on(node)
    # A set answers in the time of the other operations on a line; what dominates is no set.
    if not matters(place, samples, part=0.25 if kind in SCANNED else 0.5):
        return
    if kind in SCANNED and not is_small(place, node, samples=samples):
        confidence, how = 0.85, "many times"
    elif kind is None and _takes_long(place, node, samples=samples):
        confidence, how = 0.6, "or so its time at each execution says"
    else:
        return
    yield claim(
        place,
        BottleneckKind.LINEAR_SCAN,
        samples=samples,
        confidence=confidence,
        evidence=f"`{text(node)}` compares with one element after the other, {how}",
        nodes=[node],
    )


def _takes_long(place: Place, node: ast.expr, *, samples: frozenset[int]) -> bool:
    """Whether what is searched must be long, though nothing says that it is a list."""
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant | ast.JoinedStr):
        return False  # more likely a piece of a text
    each_s = seconds_each(place, node, samples=samples)
    return each_s is not None and each_s > LONG_S


def _type_at_callers(place: Place, where: ast.expr) -> str | None:
    """The type of an argument, as the texts of all callers that say so have it."""
    source = place.source
    if source is None or not isinstance(where, ast.Name) or where.id not in source.parameters:
        return None
    found = set[str | None]()
    for function, _ in place.run.callers_of(place):
        caller = place.run.source(function)
        for node in caller.nodes if caller else ():
            if caller and isinstance(node, ast.Call) and method(node) == source.node.name:
                given = argument_of(node, where.id, of=source)
                found.add(type_of(given, of=caller))
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def _search(place: Place, source: FunctionSource, *, loop: ast.For) -> Iterator[Claim]:
    """A loop that ends at the element that was looked for, in a function called often."""
    if source.loops_around(loop) or not is_called_often(place) or not _is_search(loop):
        return
    if _is_nested_deeper(loop) or not _is_stored(loop.iter, source, loops=[]):
        return
    samples = place.passed_on(*_looking(loop))
    each_s = seconds_each(place, loop, samples=samples)
    if each_s is None and _begins_with_last(loop):
        return  # the top of a stack, where most searches end
    if matters(place, samples, part=0.4) and (each_s is None or each_s >= SEARCH_S):
        yield claim(
            place,
            BottleneckKind.LINEAR_SCAN,
            samples=samples,
            confidence=0.75,
            evidence=f"`for {text(loop.target)} in {text(loop.iter)}` looks for one element "
            "from the beginning at each call",
            nodes=[loop],
        )


def _begins_with_last(loop: ast.For) -> bool:
    match loop.iter:
        case ast.Call(func=ast.Name(id="reversed")):
            return True
        case ast.Subscript(slice=ast.Slice(step=ast.UnaryOp(op=ast.USub()))):
            return True
        case _:
            return False


def _looking(loop: ast.For) -> Iterator[ast.AST]:
    """What is executed for each element, without what is done with the one that is found."""
    yield loop.iter
    for statement in loop.body:
        if isinstance(statement, ast.If):
            yield statement.test
            yield from statement.orelse
        else:
            yield statement


def _probing(place: Place, source: FunctionSource, *, loop: ast.While) -> Iterator[Claim]:
    """`while i in used: i += 1`, from the same beginning at each call or turn."""
    looks_up = any(isinstance(n, ast.In | ast.Subscript | ast.Call) for n in ast.walk(loop.test))
    if not looks_up or not _only_counts_up(loop, source):
        return
    samples = place.landed_on(loop)
    if is_repeated(place, loop) and matters(place, samples, part=0.4):
        yield claim(
            place,
            BottleneckKind.LINEAR_SCAN,
            samples=samples,
            confidence=0.75,
            evidence=f"`while {text(loop.test)}` tries one after the other from the beginning",
            nodes=[loop],
        )


def _only_counts_up(loop: ast.While, source: FunctionSource) -> bool:
    """Whether the body moves counters and does no more, one of them from a constant."""
    counters = [
        node.target.id
        for node in loop.body
        if isinstance(node, ast.AugAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    ]
    begun = (
        target
        for node in source.nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
    )
    asked = names_in(loop.test)
    return len(loop.body) == len(counters) and any(
        isinstance(target, ast.Name) and target.id in counters and target.id in asked
        for target in begun
    )


def _filter(
    place: Place, source: FunctionSource, *, scan: ast.ListComp | ast.GeneratorExp
) -> Iterator[Claim]:
    """A comprehension that keeps what equals a key, done again for each key."""
    generator = scan.generators[0]
    tests = [*generator.ifs, *([scan.elt] if isinstance(scan, ast.GeneratorExp) else [])]
    if not any(_is_equality(test, generator.target) for test in tests):
        return
    loops = source.loops_around(scan)
    if not is_repeated(place, scan) or not _is_stored(generator.iter, source, loops=loops):
        return
    samples = place.landed_on(scan)
    if matters(place, samples, part=0.4) and not is_small(
        place, scan, samples=samples, limit_s=SEARCH_S
    ):
        yield claim(
            place,
            BottleneckKind.LINEAR_SCAN,
            samples=samples,
            confidence=0.7,
            evidence=f"`{text(scan)}` looks at every element for each key",
            nodes=[scan],
        )


def _is_search(loop: ast.For) -> bool:
    """Whether the body is little more than `if it is the one: return`."""
    tests = [node for node in loop.body if isinstance(node, ast.If)]
    return len(loop.body) <= 3 and any(
        any(isinstance(n, ast.Return | ast.Break) for n in test.body)
        and any(_is_equality(n, loop.target) for n in ast.walk(test.test))
        for test in tests
    )


def _is_equality(node: ast.AST, target: ast.expr) -> bool:
    names = names_in(target)
    for part in ast.walk(node):
        if isinstance(part, ast.Compare) and any(
            isinstance(op, ast.Eq | ast.Is | ast.In | ast.LtE | ast.Lt | ast.GtE | ast.Gt)
            for op in part.ops
        ):
            sides = [part.left, *part.comparators]
            of_item = [bool(heads(side) & names) for side in sides]
            if any(of_item) and not all(of_item):
                return True
    return False


def _is_nested_deeper(loop: ast.For) -> bool:
    return any(isinstance(n, ast.For | ast.While) for part in loop.body for n in ast.walk(part))


def _is_stored(where: ast.expr, source: FunctionSource, *, loops: list[Loop]) -> bool:
    """Whether it is a collection that outlives the search: an attribute, a global, an argument."""
    match where:
        case ast.Call(func=ast.Attribute(value=value, attr="values" | "items" | "keys")):
            return _is_stored(value, source, loops=loops)
        case ast.Call(func=ast.Name(id="enumerate" | "reversed"), args=[value, *_]):
            return _is_stored(value, source, loops=loops)
        case ast.Name(id=name) if name in source.assigned and name not in source.parameters:
            if loops:
                return not any(name in assigned_in(loop) for loop in loops)
            made = source.assigned[name]
            return all(isinstance(v, ast.Attribute | ast.Name | ast.Subscript) for v in made)
        case ast.Attribute() | ast.Name() | ast.Subscript():
            return True
        case _:
            return False


_TEXT = """
    def unseen(rows):
        seen = []
        for row in rows:
            if row.key not in seen:
                seen.append(row.key)
        return seen
    def known(rows):
        names = set(rows)
        for row in rows:
            if row in names:
                print(row)
"""
RULE = KindRule(
    id="linear-scan",
    kind=BottleneckKind.LINEAR_SCAN,
    title="Look up in a set or dict",
    why="A search of a list takes time in proportion to its length, at every search.",
    limits="Types are guessed from assignments and annotations.",
    find=find,
    fires_on=example(_TEXT, ("not in seen",)),
    silent_on=example(_TEXT, ("row in names",)),
)
