"""Arithmetic on one element after the other in Python code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import LOOPS, FunctionSource, Loop
from perfwright.profiling.diagnosis.syntax import callee, text
from perfwright.profiling.diagnosis.traversal import is_range, iterated, loop_variables

SIMPLE = {"range", "len", "abs", "min", "max", "int", "float", "round", "sum", "ord", "chr", "zip",
          "enumerate", "append", "bool", "pow", "divmod"}  # fmt: skip
MIN_STEPS = 3  # of arithmetic in the innermost loop


def find(run: Run) -> Iterator[Claim]:
    """Yield functions whose own lines in a loop of arithmetic take most of their time."""
    for place, source in readable(run):
        loops = [node for node in source.nodes if isinstance(node, LOOPS)]
        inner = [loop for loop in loops if _is_arithmetic(loop, source)]
        nests = [(source.loops_around(loop) or [loop])[-1] for loop in inner]
        samples = frozenset(n for n in place.charged_on(*nests) if not run.samples[n].foreign)
        if inner and matters(place, samples, part=0.7):
            hot = max(inner, key=lambda loop: run.seconds(place.charged_on(loop)))
            yield claim(
                place,
                BottleneckKind.INTERPRETED_LOOP,
                samples=samples,
                confidence=0.55 + 0.1 * _depth(source, hot),
                evidence=f"{_what(hot)} does arithmetic on one element at a time",
                nodes=[hot],
            )


def _is_arithmetic(loop: Loop, source: FunctionSource) -> bool:
    """Whether an innermost loop is mostly sums, comparisons and subscripts."""
    body = list(ast.walk(loop))
    if any(isinstance(node, LOOPS) and node is not loop for node in body):
        return False
    if not _works_on_elements(loop, source):
        return False
    steps = sums = 0
    for node in body:
        match node:
            case ast.BinOp(left=left, right=right) if not {
                type_of(left, of=source),
                type_of(right, of=source),
            } & {"str", "list", "bytes", "tuple"}:
                steps += 1
                sums += 1
            case ast.AugAssign(op=ast.Add() | ast.Sub(), value=ast.Constant()):
                pass  # a counter
            case ast.AugAssign(target=target) if type_of(target, of=source) not in {"str", "list"}:
                steps += 1
                sums += 1
            case ast.Subscript(slice=ast.Name() | ast.BinOp() | ast.Subscript()):
                steps += 1
            case ast.Compare(ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()]):
                steps += 1
            case _:
                pass
    if any(isinstance(n, ast.JoinedStr | ast.In | ast.NotIn) or _is_of_texts(n) for n in body):
        return False  # texts and look-ups, not numbers
    made = loop.value if isinstance(loop, ast.DictComp) else getattr(loop, "elt", None)
    if isinstance(made, ast.List | ast.Tuple | ast.Dict):
        return False  # it makes data
    calls = [node for node in body if isinstance(node, ast.Call)]
    return steps >= MIN_STEPS and sums > 0 and not any(_is_heavy(node, source) for node in calls)


def _is_of_texts(node: ast.AST) -> bool:
    """Whether something is compared with a written text, as the characters of another one are."""
    return isinstance(node, ast.Compare) and any(
        isinstance(side, ast.Constant) and isinstance(side.value, str)
        for side in (node.left, *node.comparators)
    )


def _works_on_elements(loop: Loop, source: FunctionSource) -> bool:
    """Whether elements or their numbers are reckoned with, and are not just keys of tables."""
    over = iterated(loop)
    if over is None or isinstance(loop, ast.While) or is_range(over):
        return True
    mine = loop_variables(loop)
    parents = source.module.parents
    return any(
        isinstance(node, ast.Name)
        and node.id in mine
        and isinstance(node.ctx, ast.Load)
        and node is not getattr(parents.get(node), "slice", None)
        for node in ast.walk(loop)
    )


def _is_heavy(node: ast.Call, source: FunctionSource) -> bool:
    name = callee(node, of=source)
    return not (
        name.startswith(("math.", "operator.")) or name.lstrip(".").rpartition(".")[2] in SIMPLE
    )


def _depth(source: FunctionSource, loop: Loop) -> int:
    return min(2, len(source.loops_around(loop)))


def _what(loop: Loop) -> str:
    match loop:
        case ast.For(target=target, iter=over):
            return f"`for {text(target)} in {text(over, limit=40)}`"
        case ast.While(test=test):
            return f"`while {text(test, limit=40)}`"
        case _:
            return f"`{text(loop)}`"


_TEXT = """
    def blur(rows, width):
        out = []
        for y in range(len(rows)):
            for x in range(1, width - 1):
                out.append((rows[y][x - 1] + rows[y][x] + rows[y][x + 1]) // 3)
        return out
    def names(people):
        for person in people:
            yield person.name.title()
"""
RULE = KindRule(
    id="interpreted-loop",
    kind=BottleneckKind.INTERPRETED_LOOP,
    title="Hand whole arrays to compiled code",
    why="Each operation of the interpreter costs tens of times what the arithmetic does.",
    limits="Whether a library does the same in bulk is not known.",
    find=find,
    fires_on=example(_TEXT, ("out.append((rows",)),
    silent_on=example(_TEXT, ("yield person.name",)),
)
