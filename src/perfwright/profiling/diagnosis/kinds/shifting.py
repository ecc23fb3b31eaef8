"""Something is taken from, or put into, what must then be moved or copied up to its end."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, is_repeated, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.executions import is_small
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.syntax import text

NOT_SHIFTED = {"deque", "dict", "set"}
SHIFTED = {"list", "str", "bytes"}


def find(run: Run) -> Iterator[Claim]:
    """Yield changes at the front or inside of lists and texts that are done again and again."""
    for place, source in readable(run):
        for node in source.nodes:
            moved = _moved(node)
            whole = moved or _moved_inside(node)
            if whole is None or not is_repeated(place, node):
                continue
            kind = type_of(whole, of=source)
            if kind in NOT_SHIFTED or (moved is None and kind != "list"):
                continue  # inside of something unknown: a dict has keys
            samples = place.landed_on(node)
            if matters(place, samples) and not is_small(place, node, samples=samples):
                yield claim(
                    place,
                    BottleneckKind.QUADRATIC,
                    samples=samples,
                    confidence=0.85 if kind in SHIFTED else 0.75,
                    evidence=f"`{text(node)}` moves or copies all that is left of `{text(whole)}`",
                    nodes=[node],
                )


def _moved(node: ast.AST) -> ast.expr | None:
    """What a statement takes from the front of, or puts at it."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="pop"), args=[ast.Constant(value=0)]):
            return value
        case ast.Call(
            func=ast.Attribute(value=value, attr="insert"), args=[ast.Constant(value=0), _]
        ):
            return value
        case ast.Delete(targets=[ast.Subscript(value=value, slice=where)]):
            return value if _is_front(where) else None
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
            return _cut([ast.unparse(target) for target in targets], value)
        case ast.Assign(targets=[target], value=value):
            return _rebuilt(ast.unparse(target), value)
        case _:
            return None


def _moved_inside(node: ast.AST) -> ast.expr | None:
    """What all behind a place is moved of: `del rows[i]`, `rows.insert(i, row)`."""
    match node:
        case ast.Delete(targets=[ast.Subscript(value=value, slice=where)]):
            pass
        case ast.Call(func=ast.Attribute(value=value, attr="pop" | "insert"), args=[where, *_]):
            pass
        case _:
            return None
    return None if _is_near_end(where, value) else value


def _is_near_end(where: ast.expr, whole: ast.expr) -> bool:
    """Whether nothing, or a few elements, are behind it: `-1`, `len(rows) - 1`, `n:`."""
    match where:
        case ast.UnaryOp(op=ast.USub()) | ast.Slice(upper=None):
            return True
        case _:
            wholes = ast.unparse(whole)
            return any(
                isinstance(n, ast.Call) and n.args and ast.unparse(n.args[0]) == wholes
                for n in ast.walk(where)
            )


def _is_front(where: ast.expr) -> bool:
    """Whether it is the `0` or `:n` of `del rows[:n]`."""
    match where:
        case ast.Constant(value=0) | ast.Slice(lower=None, step=None):
            return True
        case _:
            return False


def _rebuilt(name: str, value: ast.expr) -> ast.expr | None:
    """`rows` of `rows = rows[n:]`, `rows = rows + [row]` and `rows = [row] + rows`."""
    match value:
        case ast.Subscript(value=whole) if _is_rest(value):
            pass
        case ast.BinOp(left=whole, op=ast.Add(), right=ast.List()):
            pass
        case ast.BinOp(left=ast.List(), op=ast.Add(), right=whole):
            pass
        case _:
            return None
    return whole if ast.unparse(whole) == name else None


def _cut(names: list[str], value: ast.expr) -> ast.expr | None:
    """`rest` of `line, _, rest = rest.partition(",")` and of `head, rest = rest[:n], rest[n:]`."""
    match value:
        case (
            ast.Call(func=ast.Attribute(value=whole, attr="partition"))
            | ast.Call(func=ast.Attribute(value=whole, attr="split"), args=[_, ast.Constant()])
        ):
            return whole if ast.unparse(whole) == names[-1] else None
        case ast.Tuple(elts=parts):
            found = (_rebuilt(name, part) for name, part in zip(names, parts, strict=False))
            return next(filter(None, found), None)
        case _:
            return None


def _is_rest(node: ast.Subscript) -> bool:
    """Whether it is `rows[n:]`."""
    match node.slice:
        case ast.Slice(lower=ast.expr(), upper=None):
            return True
        case _:
            return False


_TEXT = """
    def drain(jobs):
        while jobs:
            job = jobs.pop(0)
            job.run()
    def undo(steps):
        while steps:
            steps.pop().undo()
"""
RULE = KindRule(
    id="shifting",
    kind=BottleneckKind.QUADRATIC,
    title="Take from the other end, or from a deque",
    why="A list or text has no room at its front: all that is left is moved or copied.",
    limits="How long the list is is not known, only that the time is lost there.",
    find=find,
    fires_on=example(_TEXT, ("jobs.pop(0)",)),
    silent_on=example(_TEXT, ("steps.pop()",)),
)
