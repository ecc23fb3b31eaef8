"""Collections are copied only to be read or to be changed a little."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE, claim, is_repeated, matters, readable
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import COMPREHENSIONS, FunctionSource
from perfwright.profiling.diagnosis.syntax import MUTATORS, callee, method, text
from perfwright.profiling.model import Allocation, Memory

CONSTRUCTORS = {"list", "dict", "set", "tuple", "bytes", "bytearray", "frozenset", "copy.copy"}
MIN_PEAK_BYTES = 8 << 20  # less is no burden for any machine
MIN_PEAK_SHARE = 0.3
ONCE = {"sum", "min", "max", "any", "all", "len", "set", "frozenset", "dict", "Counter",
        "mean", "fmean", "writelines", "extend", "update"}  # fmt: skip


def find(run: Run) -> Iterator[Claim]:
    """Yield copies within loops or recursion, and those that make the peak of memory."""
    for place, source in readable(run):
        for node in source.nodes:
            certainty = _copies(node, source)
            if not certainty or not _is_again(place, source, node=node):
                continue
            samples = place.landed_on(node)
            if matters(place, samples):
                yield claim(
                    place,
                    BottleneckKind.TEMP_COPIES,
                    samples=samples,
                    confidence=certainty,
                    evidence=f"`{text(node)}` copies a whole collection each time",
                    nodes=[node],
                )
    yield from _of_peak(run)


def _copies(node: ast.AST, source: FunctionSource) -> float:
    """How surely an expression copies a collection that exists already."""
    match node:
        case ast.Call(args=[ast.Name() | ast.Attribute() | ast.Subscript()], keywords=[]) if (
            callee(node, of=source) in CONSTRUCTORS
        ):
            made = callee(node, of=source)
            if made in {"bytes", "bytearray"} and not type_of(node.args[0], of=source):
                return 0.45  # `bytearray(size)` copies nothing
            return 0.75
        case ast.Call(func=ast.Attribute(attr="copy"), args=[]):
            return 0.8
        case ast.Subscript(slice=ast.Slice(step=None), ctx=ast.Load(), value=value):
            return 0.0 if type_of(value, of=source) == "str" else 0.7
        case ast.Dict(keys=keys) if None in keys:
            return 0.75
        case ast.List(elts=parts) | ast.Set(elts=parts) | ast.Tuple(elts=parts):
            return 0.75 if any(isinstance(part, ast.Starred) for part in parts) else 0.0
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            kinds = {type_of(left, of=source), type_of(right, of=source)}
            return 0.75 if kinds & {"list", "tuple"} else 0.0
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            kinds = {type_of(left, of=source), type_of(right, of=source)}
            return 0.7 if kinds & {"set", "dict"} else 0.0
        case ast.Call(func=ast.Attribute(attr="union" | "tobytes")):
            return 0.6
        case _:
            return 0.0


def _is_again(place: Place, source: FunctionSource, *, node: ast.AST) -> bool:
    return is_repeated(place, node) or any(
        isinstance(n, ast.Call) and getattr(n.func, "id", getattr(n.func, "attr", "")) == name
        for name in [source.node.name]
        for n in source.nodes
    )


def _of_peak(run: Run) -> Iterator[Claim]:
    """Memory that was held at the peak and is gone at the end."""
    memory = run.profile.memory
    if memory is None:
        return
    extra = memory.peak_bytes - max(memory.start_bytes, memory.end_bytes)
    if extra < MIN_PEAK_BYTES or extra < MIN_PEAK_SHARE * memory.peak_bytes:
        return
    held = dict[int, int]()
    lines = dict[int, set[int]]()
    places = dict[int, Place]()
    for allocation in memory.at_peak:
        place = _place_of(run, allocation)
        if place is not None and place.source is not None:
            key = id(place)
            places[key] = place
            held[key] = held.get(key, 0) + allocation.size_bytes
            lines.setdefault(key, set()).add(allocation.frame.line)
    for key, size in sorted(held.items(), key=lambda pair: -pair[1])[:3]:
        place = places[key]
        copied = _lines_that_copy(place, lines[key])
        if copied and size >= MIN_PEAK_SHARE * extra:
            yield Claim(
                function=place.function,
                kind=BottleneckKind.TEMP_COPIES,
                evidence=f"{size / 2**20:.0f} MB of the peak of {memory.peak_bytes / 2**20:.0f} MB "
                "are copies made here and dropped before the end",
                confidence=0.65,
                share=max(
                    0.5 * size / memory.peak_bytes * size / (size + MIN_PEAK_BYTES),
                    run.share(place.charged_on(*copied)),
                    MIN_SHARE,
                ),
                samples=place.charged,
                lines=tuple(node.lineno for node in copied),
                memory_bytes=size,
            )


def _place_of(run: Run, allocation: Allocation) -> Place | None:
    found = run.nearest_own([allocation.frame])
    if found is None:
        return None
    module = run.module(found[0].file)
    source = module.function_at(allocation.frame.line) if module else None
    if source is None:
        return None
    return run.ensure(type(found[0])(found[0].file, source.first_line, source.name))


def _lines_that_copy(place: Place, lines: set[int]) -> list[ast.expr]:
    source = place.source
    return list(
        {
            line: node
            for node in (source.nodes if source else ())
            if source and (_is_kept_no_longer(node, source) or _is_dropped_at_once(node, source))
            for line in sorted(lines)
            if isinstance(node, ast.expr)
            and node.lineno <= line <= (node.end_lineno or node.lineno)
        }.values()
    )


def _is_kept_no_longer(node: ast.AST, source: FunctionSource) -> bool:
    """Whether a copy is made that is not the function's result nor put into something."""
    parent = source.module.parents.get(node)
    if not _copies(node, source) or isinstance(parent, ast.Return | ast.Yield | ast.Dict):
        return False
    if isinstance(parent, (*COMPREHENSIONS, ast.List, ast.Tuple, ast.keyword)):
        return False
    return not (isinstance(parent, ast.Call) and method(parent) in MUTATORS)


def _is_dropped_at_once(node: ast.AST, source: FunctionSource) -> bool:
    """Whether a whole collection is made only to be gone through once, which a stream allows."""
    if not _materialises(node):
        return False
    parent = source.module.parents.get(node)
    if isinstance(parent, ast.Call) and method(parent) in ONCE:
        return True
    if isinstance(parent, ast.For | ast.comprehension):
        return parent.iter is node
    if isinstance(parent, ast.Attribute):  # `source.read().split()` holds the text twice
        return isinstance(source.module.parents.get(parent), ast.Call)
    if not isinstance(parent, ast.Assign) or not isinstance(parent.targets[0], ast.Name):
        return False
    name = parent.targets[0].id
    uses = [
        n
        for n in source.nodes
        if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
    ]
    if isinstance(node, ast.ListComp) and not _is_in_line(node, source):
        return False
    if len(uses) != 1 or len(source.loops_around(uses[0])) > len(source.loops_around(node)):
        return False
    user = source.module.parents.get(uses[0])
    if isinstance(user, ast.Call):
        return method(user) in ONCE and user.func is not uses[0]
    return isinstance(user, ast.For | ast.comprehension) and user.iter is uses[0]


def _is_in_line(node: ast.ListComp, source: FunctionSource) -> bool:
    """Whether a list is one of several that are made from one another."""
    made = {
        target.id
        for n in source.nodes
        if isinstance(n, ast.Assign) and isinstance(n.value, ast.ListComp) and n.value is not node
        for target in n.targets
        if isinstance(target, ast.Name)
    }
    over = node.generators[0].iter
    parent = source.module.parents.get(node)
    mine = parent.targets[0] if isinstance(parent, ast.Assign) else None
    follows = isinstance(over, ast.Name) and over.id in made
    return follows or any(
        isinstance(n, ast.ListComp)
        and isinstance(mine, ast.Name)
        and getattr(n.generators[0].iter, "id", "") == mine.id
        for n in source.nodes
    )


def _materialises(node: ast.AST) -> bool:
    match node:
        case ast.ListComp():
            return True
        case ast.Call(func=ast.Name(id="list" | "sorted" | "tuple")):
            return True
        case ast.Call(
            func=ast.Attribute(
                attr="readlines"
                | "read"
                | "splitlines"
                | "split"
                | "fetchall"
                | "read_text"
                | "read_bytes"
                | "encode"
                | "decode"
                | "replace"
                | "join"
            )
        ):
            return True
        case _:
            return False


_TEXT = """
    def walk(tree, path):
        for child in tree.children:
            walk(child, path + [child.name])
    def grow(rows, path):
        path = []
        for row in rows:
            step = path + [row]
            yield step
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
    silent_on=example(
        _TEXT,
        ("copy = list(rows)",),
        memory=Memory(
            start_bytes=0,
            end_bytes=0,
            peak_bytes=1 << 20,
            at_peak=(
                Allocation(frame=frame_of(_TEXT, "copy = list"), size_bytes=1 << 20, count=1),
            ),
        ),
    ),
)
