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
from perfwright.profiling.diagnosis.executions import is_small
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource, Loop
from perfwright.profiling.diagnosis.syntax import dotted, is_invariant, is_outer, names_in, text
from perfwright.profiling.diagnosis.traversal import has_few_turns

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
                or not _is_made_longer_again(place, source, node=node, grown=grown)
                or _is_in_place(node, source)
            ):
                continue
            samples = place.landed_on(node)
            if matters(place, samples) and not is_small(place, node, samples=samples):
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
            return target if ast.unparse(target) in map(ast.unparse, _pieces(value)) else None
        case ast.Assign(targets=[target], value=ast.JoinedStr(values=parts)):
            names = [ast.unparse(p.value) for p in parts if isinstance(p, ast.FormattedValue)]
            return target if ast.unparse(target) in names else None
        case _:
            return None


def _pieces(value: ast.Call | ast.BinOp) -> Iterator[ast.expr]:
    """What `"".join([a, b])`, `"{}{}".format(a, b)` and `"%s%s" % (a, b)` put together as it is."""
    parts = [value.right] if isinstance(value, ast.BinOp) else value.args
    for part in parts:
        yield from part.elts if isinstance(part, ast.Tuple | ast.List) else [part]
    if isinstance(value, ast.Call):
        yield from (keyword.value for keyword in value.keywords)


def _is_made_longer_again(
    place: Place, source: FunctionSource, *, node: ast.AST, grown: ast.expr
) -> bool:
    """Whether it becomes longer and longer: a local name within a loop, others with each call."""
    if not isinstance(grown, ast.Name) or is_outer(grown.id, source):
        return is_repeated(place, node)
    for loop in source.loops_around(node):
        begun = (
            other
            for other in ast.walk(loop)
            if isinstance(other, ast.Assign)
            and grown.id in names_in(*other.targets)
            and grown.id not in names_in(other.value)
        )
        if any(loop in source.loops_around(other) for other in begun):
            return False
        if not has_few_turns(loop, source):
            return True
    return False


def _is_in_place(node: ast.AST, source: FunctionSource) -> bool:
    """Whether CPython makes the text longer where it is: a `str` in a local name, put first."""
    match node:
        case ast.AugAssign(target=ast.Name() as name):
            pass
        case ast.Assign(
            targets=[ast.Name(id=before) as name], value=ast.BinOp(left=ast.Name(id=after))
        ) if before == after:
            pass
        case _:
            return False
    return not is_outer(name.id, source) and type_of(name, of=source) == "str"


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
    def page(self, rows):
        self.html = ""
        for row in rows:
            self.html += f"<li>{row}</li>"
        return self.html
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
    limits="CPython extends a local str in place: `text += more` is no fault there.",
    find=find,
    fires_on=example(_TEXT, ("self.html += ",)),
    silent_on=example(_TEXT, ("total += ",)),
)
