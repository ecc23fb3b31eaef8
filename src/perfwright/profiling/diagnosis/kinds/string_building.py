"""A text grows piece by piece, copied at each step."""

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
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource, Loop
from perfwright.profiling.diagnosis.syntax import dotted, is_invariant, text

TEXTS = {"str", "bytes"}


def find(run: Run) -> Iterator[Claim]:
    """Yield additions to a text that are done again and again."""
    for place, source in readable(run):
        yield from _read_back(place, source)
        for node in source.nodes:
            grown = _grown(node)
            if (
                grown is None
                or not _is_text(node, grown, source=source)
                or not is_repeated(place, node)
            ):
                continue
            samples = place.landed_on(node)
            if matters(place, samples):
                yield claim(
                    place,
                    BottleneckKind.STRING_BUILDING,
                    samples=samples,
                    confidence=0.8,
                    evidence=f"`{text(node)}` copies the text so far to make it longer",
                    nodes=[node],
                )


def _read_back(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """A buffer that is being written is asked for all of its text at each step."""
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=buffer, attr="getvalue"), args=[]):
                loops = source.loops_around(node)
            case _:
                continue
        kept = "." in dotted(buffer) and is_called_often(place)
        if not (kept or any(is_invariant(buffer, loop) for loop in loops) or _grows(node, loops)):
            continue
        samples = place.landed_on(node)
        if matters(place, samples):
            yield claim(
                place,
                BottleneckKind.STRING_BUILDING,
                samples=samples,
                confidence=0.75,
                evidence=f"`{text(node)}` copies the text so far, again and again",
                nodes=[node],
            )


def _grows(node: ast.Call, loops: list[Loop]) -> bool:
    buffer = dotted(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    return any(
        isinstance(n, ast.Call)
        and isinstance(n.func, ast.Attribute)
        and n.func.attr == "write"
        and dotted(n.func.value) == buffer
        for loop in loops
        for n in ast.walk(loop)
    )


def _grown(node: ast.AST) -> ast.expr | None:
    """What an assignment makes longer."""
    match node:
        case ast.AugAssign(target=target, op=ast.Add()):
            return target
        case ast.Assign(targets=[target], value=ast.BinOp(op=ast.Add()) as value):
            parts = [ast.unparse(part) for part in _summands(value)]
            again = ast.unparse(target) in parts or any(
                _is_same_item(part, target) for part in ast.walk(value)
            )
            return target if again else None
        case ast.Assign(
            targets=[target],
            value=ast.Call(func=ast.Attribute(value=ast.Constant(), attr="format" | "join"))
            | ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod()) as value,
        ):
            read = {ast.unparse(n) for n in ast.walk(value) if isinstance(n, ast.expr)}
            return target if ast.unparse(target) in read else None
        case ast.Assign(targets=[target], value=ast.JoinedStr(values=parts)):
            names = [ast.unparse(p.value) for p in parts if isinstance(p, ast.FormattedValue)]
            return target if ast.unparse(target) in names else None
        case _:
            return None


def _is_same_item(part: ast.AST, target: ast.expr) -> bool:
    """`self[key]` for `self._items[key]`, or `items.get(key)` for `items[key]`."""
    if not isinstance(target, ast.Subscript):
        return False
    base, key = dotted(target.value), ast.unparse(target.slice)
    match part:
        case ast.Subscript(value=value, slice=inner):
            pass
        case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[inner, *_]):
            pass
        case _:
            return False
    path = dotted(value)
    return ast.unparse(inner) == key and bool(path) and (path == base or base.startswith(path))


def _summands(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _summands(node.left)
        yield from _summands(node.right)
    else:
        yield node


def _is_text(node: ast.AST, grown: ast.expr, *, source: FunctionSource) -> bool:
    if type_of(grown, of=source) in TEXTS:
        return True
    if isinstance(node, ast.Assign) and not isinstance(node.value, ast.BinOp):
        return True  # formatted or joined
    value = node.value if isinstance(node, ast.Assign | ast.AugAssign) else None
    return value is not None and any(type_of(p, of=source) in TEXTS for p in _summands(value))


_TEXT = """
    def page(rows):
        html = ""
        for row in rows:
            html += f"<li>{row}</li>"
        return html
    def sum_of(rows):
        total = 0
        for row in rows:
            total += row.count
        return total
"""
RULE = KindRule(
    id="string-building",
    kind=BottleneckKind.STRING_BUILDING,
    title="Collect the pieces in a list and join them once",
    why="A text cannot grow in place: each addition may copy all of it.",
    limits="CPython extends a local str that nobody else holds in place; the time tells.",
    find=find,
    fires_on=example(_TEXT, ("html += ",)),
    silent_on=example(_TEXT, ("total += ",)),
)
