"""Copies that are dropped soon after they were made hold most of the peak of memory."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.copying import copies
from perfwright.profiling.diagnosis.evidence import MIN_SHARE
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import COMPREHENSIONS, FunctionSource
from perfwright.profiling.diagnosis.syntax import MUTATORS, method
from perfwright.profiling.model import Allocation, Function, Memory, Profile

MIN_PEAK_BYTES = 8 << 20  # less is no burden for any machine
MIN_PEAK_SHARE = 0.3
MOST = 3  # places that hold most of a peak
ONCE = {"sum", "min", "max", "any", "all", "len", "set", "frozenset", "dict", "Counter",
        "mean", "fmean", "writelines", "extend", "update"}  # fmt: skip
READERS = {"readlines", "read", "splitlines", "split", "fetchall", "read_text", "read_bytes",
           "encode", "decode", "replace", "join"}  # fmt: skip


@dataclass(slots=True)
class _Held:
    """What lines of one place held at the peak."""

    size_bytes: int = 0
    lines: set[int] = field(default_factory=set)


def find(run: Run) -> Iterator[Claim]:
    """Yield copies that were held at the peak of memory and are gone at the end."""
    memory = run.profile.memory
    if memory is None:
        return
    extra = memory.peak_bytes - max(memory.start_bytes, memory.end_bytes)
    if extra < MIN_PEAK_BYTES or extra < MIN_PEAK_SHARE * memory.peak_bytes:
        return
    held = _held_at_peak(run, memory)
    for place in sorted(held, key=lambda p: -held[p].size_bytes)[:MOST]:
        size = held[place].size_bytes
        copied = _copies_on(place, held[place].lines)
        if copied and size >= MIN_PEAK_SHARE * extra:
            yield _claim(place, copied, size=size, peak=memory.peak_bytes)


def _held_at_peak(run: Run, memory: Memory) -> dict[Place, _Held]:
    held: dict[Place, _Held] = defaultdict(_Held)
    for allocation in memory.at_peak:
        place = _place_of(run, allocation)
        if place is not None and place.source is not None:
            held[place].size_bytes += allocation.size_bytes
            held[place].lines.add(allocation.frame.line)
    return held


def _claim(place: Place, copied: list[ast.expr], *, size: int, peak: int) -> Claim:
    # Memory is worth half of what time is, and less where there is little of it.
    of_memory = 0.5 * size / peak * size / (size + MIN_PEAK_BYTES)
    return Claim(
        function=place.function,
        kind=BottleneckKind.TEMP_COPIES,
        evidence=f"{size / 2**20:.0f} MB of the peak of {peak / 2**20:.0f} MB "
        "are copies made here and dropped before the end",
        confidence=0.65,
        share=max(of_memory, place.run.share(place.charged_on(*copied)), MIN_SHARE),
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
    return run.ensure(Function(found[0].file, source.first_line, source.name))


def _copies_on(place: Place, lines: set[int]) -> list[ast.expr]:
    """The copies on these lines that are not kept, one for each line."""
    source = place.source
    if source is None:
        return []
    found = {
        line: node
        for node in source.nodes
        if isinstance(node, ast.expr)
        and (_is_kept_no_longer(node, source) or _is_dropped_at_once(node, source))
        for line in sorted(lines)
        if node.lineno <= line <= (node.end_lineno or node.lineno)
    }
    return list(found.values())


def _is_kept_no_longer(node: ast.AST, source: FunctionSource) -> bool:
    """Whether a copy is made that is not the function's result nor put into something."""
    parent = source.module.parents.get(node)
    if not copies(node, source) or isinstance(parent, ast.Return | ast.Yield | ast.Dict):
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
    if isinstance(node, ast.ListComp) and not _is_in_line(node, source):
        return False
    return _is_named_for_one_use(node, source)


def _is_named_for_one_use(node: ast.AST, source: FunctionSource) -> bool:
    """`rows = ...` and then `sum(rows)` or `for row in rows`, and no other use."""
    parent = source.module.parents.get(node)
    if not isinstance(parent, ast.Assign) or not isinstance(parent.targets[0], ast.Name):
        return False
    name = parent.targets[0].id
    uses = [
        n
        for n in source.nodes
        if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
    ]
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
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in READERS
        case _:
            return False


_TEXT = """
    def total(path):
        with open(path) as source:
            rows = source.read().split()
        return len(rows)
    def load(path):
        with open(path) as source:
            return source.read()
"""


def _run(where: str) -> Profile:
    held = Allocation(frame=frame_of(_TEXT, where), size_bytes=96 << 20, count=1)
    memory = Memory(start_bytes=0, end_bytes=0, peak_bytes=100 << 20, at_peak=(held,))
    return example(_TEXT, memory=memory)


RULE = KindRule(
    id="peak-copies",
    kind=BottleneckKind.TEMP_COPIES,
    title="Go through it piece by piece",
    why="A copy that is read once needs memory for all of it at the same time.",
    limits="What is held by a library on behalf of a line counts as held there.",
    find=find,
    fires_on=_run("source.read().split()"),
    silent_on=_run("return source.read()"),
)
