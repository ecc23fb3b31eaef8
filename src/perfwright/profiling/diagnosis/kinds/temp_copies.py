"""Collections are copied again and again only to be read or to be changed a little."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.copying import copies
from perfwright.profiling.diagnosis.evidence import claim, is_repeated, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.executions import is_small
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import argument_of, dotted, heads, method, text

FRESH = ast.Call | ast.BinOp | ast.Await | ast.ListComp | ast.DictComp
SEEN_LATE = 0.3
"""A helper that counts for more of both has no place where a sampler sees it, but its caller."""


def find(run: Run) -> Iterator[Claim]:
    """Yield copies within loops or recursion."""
    for place, source in readable(run):
        yield from _by_helper(place, source)
        for node in source.nodes:
            certainty = copies(node, source)
            if not certainty or _is_made_here(node, source):
                continue
            if not (is_repeated(place, node) or _calls_itself(source)):
                continue
            samples = place.landed_on(node)
            if matters(place, samples) and not is_small(place, node, samples=samples):
                yield claim(
                    place,
                    BottleneckKind.TEMP_COPIES,
                    samples=samples,
                    confidence=certainty,
                    evidence=f"`{text(node)}` copies a whole collection each time",
                    nodes=[node],
                )


def _is_made_here(node: ast.AST, source: FunctionSource) -> bool:
    """Whether a call copies what it has made itself just before, or cuts what it was given."""
    if source.loops_around(node):
        return False
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Slice(upper=ast.expr())) if (
            name in source.parameters
        ):
            return not _calls_itself(source)
        case ast.Subscript(value=ast.Name(id=name)) | ast.Call(args=[ast.Name(id=name)]):
            made = source.assigned.get(name, [])
            return (
                bool(made)
                and name not in source.parameters
                and (all(isinstance(value, FRESH) for value in made))
            )
        case _:
            return False


def _by_helper(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """`merged = over(merged, part)` in a loop, where `over` does no more than copy and add."""
    for node in source.nodes:
        match node:
            case ast.Assign(targets=[target], value=ast.Call() as call):
                pass
            case _:
                continue
        helpers = [f for f in place.run.text_calls.below(source) if f.node.name == method(call)]
        if not source.loops_around(node) or len(helpers) != 1:
            continue
        helper = helpers[0]
        if not any(dotted(given) == dotted(target) for given in _copied(call, helper)):
            continue
        samples = place.landed_on(node) | place.into(node, helper.node.name)
        if place.run.counted_part(helper.function, beside=place.function) > SEEN_LATE:
            samples |= place.charged
        if matters(place, samples, part=0.2):
            yield claim(
                place,
                BottleneckKind.TEMP_COPIES,
                samples=samples,
                confidence=0.8,
                evidence=f"`{text(node)}` copies all so far to add a little: `{helper.name}` "
                "makes a new one each time",
                nodes=[node],
            )


def _copied(call: ast.Call, helper: FunctionSource) -> Iterator[ast.expr]:
    """What is given to a function that returns a copy of it, and does nothing else."""
    first, *others = [n for n in helper.node.body if not _is_docstring(n)] or [ast.Pass()]
    value = first.value if isinstance(first, ast.Return) and not others else None
    if value is None or not copies(value, helper):
        return
    for name in heads(value):
        given = argument_of(call, name, of=helper)
        if name == "self" and isinstance(call.func, ast.Attribute):
            given = call.func.value
        if given is not None and dotted(given):
            yield given


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _calls_itself(source: FunctionSource) -> bool:
    return any(isinstance(n, ast.Call) and method(n) == source.node.name for n in source.nodes)


_TEXT = """
    def steps(rows, path):
        for row in rows:
            step = path + [row]
            yield step
        path = []
    def read(rows):
        copy = list(rows)
        return copy
"""
RULE = KindRule(
    id="temp-copies",
    kind=BottleneckKind.TEMP_COPIES,
    title="Read in place, or stream",
    why="A copy touches every element and needs memory for all of them at once.",
    limits="A copy that protects the original from changes looks the same.",
    find=find,
    fires_on=example(_TEXT, ("step = path + [row]",)),
    silent_on=example(_TEXT, ("copy = list(rows)",)),
)
