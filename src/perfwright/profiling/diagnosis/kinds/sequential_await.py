"""Awaits that do not need each other's results are done one after the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE
from perfwright.profiling.diagnosis.examples import FILE, example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import simple
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    callee,
    changes,
    heads,
    method,
    names_in,
    paths,
    touches,
    turn_nodes,
)
from perfwright.profiling.diagnosis.traversal import is_rehearsal
from perfwright.profiling.model import Async, AwaitSequence, AwaitStep, Function

STANDING_BY = {
    "Queue.get", "Queue.put", "Queue.join", "Lock.acquire", "Event.wait", "Condition.wait",
    "Semaphore.acquire", "Barrier.wait", "StreamReader.read", "StreamReader.readline",
}  # fmt: skip
DRIVER = 0.6  # of the certainty where what is awaited in turn waits in turn itself
TOGETHER = {"gather", "wait", "as_completed", "TaskGroup", "join", "acquire", "timeout"}


def find(run: Run) -> Iterator[Claim]:
    """Yield coroutine functions whose independent awaits made up a large part of the run."""
    found: dict[Function, Claim] = {}
    for sequence in _sequences(run):
        claim = _judge(run, sequence)
        if claim and (
            claim.function not in found or found[claim.function].share < claim.share  # type: ignore[operator]
        ):
            found[claim.function] = claim
    names = {simple(function): function for function in found}
    for function, claim in found.items():
        inner = {
            names[step.awaited.rpartition(".")[2]]
            for sequence in _sequences(run)
            if run.canonical(sequence.function) == function
            for step in sequence.awaits
            if step.awaited.rpartition(".")[2] in names
        } - {function}
        # A driver that serves one request after the other is no fault while each request has one.
        yield replace(claim, confidence=DRIVER * claim.confidence) if inner else claim


def _sequences(run: Run) -> Sequence[AwaitSequence]:
    records = run.profile.asyncio
    return records.sequences if records else ()


def _judge(run: Run, sequence: AwaitSequence) -> Claim | None:
    function = run.canonical(sequence.function)
    source = run.source(function)
    if source is None or not run.own.owns(function) or not sequence.awaiting_s:
        return None
    steps = [
        step
        for step in sequence.awaits
        if step.waits_for not in STANDING_BY and step.loop_busy_s < 0.5 * step.total_s
    ]
    certainty, chosen = _independent(source, steps, calls=sequence.calls)
    if not certainty:
        return None
    chosen_s = sum(step.total_s for step in chosen)
    longest_s = sequence.calls * max(step.total_s / max(step.count, 1) for step in chosen)
    saved_s = min(sequence.overlap_s, max(0.0, chosen_s - longest_s))
    open_ratio = min(1.0, sequence.open_s / run.total_s) if run.total_s else 0.0
    share = open_ratio * saved_s / sequence.awaiting_s
    if share < MIN_SHARE:
        return None
    turns = max(step.count / max(sequence.calls, 1) for step in chosen)
    what = f"{turns:.0f} turns of a loop" if turns > 1.5 else f"{len(chosen)} awaits"
    return Claim(
        function=function,
        kind=BottleneckKind.SEQUENTIAL_AWAIT,
        evidence=f"{what} wait one after the other though none needs another's result: "
        f"{chosen_s / max(sequence.calls, 1):.3f} s in each call",
        confidence=certainty,
        share=share,
        lines=tuple(dict.fromkeys(step.line for step in chosen)),
    )


def _independent(
    source: FunctionSource, steps: Sequence[AwaitStep], *, calls: int
) -> tuple[float, list[AwaitStep]]:
    """How surely these awaits could run together, and which."""
    nodes = [(step, node) for step in steps if (node := _awaited(source, step)) is not None]
    looped = [
        (step, node)
        for step, node in nodes
        if step.count > 1.5 * calls and _turns_are_independent(source, node)
    ]
    if looped and sum(s.total_s for s, _ in looped) >= 0.3 * sum(s.total_s for s, _ in nodes):
        return 0.8, [step for step, _ in looped]
    chosen: list[tuple[AwaitStep, ast.expr]] = []
    made = set[str]()
    for step, node in nodes:
        if step.count > 1.5 * calls and source.loops_around(node):
            continue
        if chosen and any(touches(path, made) for path in paths(node)):
            continue
        chosen.append((step, node))
        made |= _bound_by(source, node)
    if len(chosen) < 2:
        return 0.0, []
    kept = sum(_is_used(source, node) for _, node in chosen)
    return (0.8 if kept >= 2 else 0.55 if kept else 0.4), [step for step, _ in chosen]


def _awaited(source: FunctionSource, step: AwaitStep) -> ast.expr | None:
    """What a step awaits, or enters, unless it runs things together or paces on purpose."""
    found: list[tuple[bool, ast.expr]] = []
    for node in source.nodes:
        match node:
            case ast.Await(value=value):
                exact = step.column in {node.col_offset, value.col_offset}
                found.append((exact, value))
            case ast.AsyncWith(items=items):
                found.extend((False, item.context_expr) for item in items)
            case _:
                pass
    here = [(e, n) for e, n in found if n.lineno <= step.line <= (n.end_lineno or n.lineno)]
    for _, node in sorted(here, key=lambda pair: not pair[0]):
        if isinstance(node, ast.Call) and not (
            callee(node, of=source) == "asyncio.sleep" or method(node) in TOGETHER
        ):
            return node
    return None


def _turns_are_independent(source: FunctionSource, node: ast.expr) -> bool:
    loops = [loop for loop in source.loops_around(node) if not isinstance(loop, ast.AsyncFor)]
    if not loops or isinstance(loops[0], ast.While):
        return False
    loop = loops[0]
    if is_rehearsal(loop):
        return False
    if not isinstance(loop, ast.For):
        return True
    carried = changes(turn_nodes(loop)) - names_in(loop.target)
    made_here = _made_before(loop, node)
    return not any(touches(path, carried - made_here - {"self"}) for path in paths(node))


def _made_before(loop: ast.For, node: ast.expr) -> set[str]:
    """Names that each turn sets anew, before the await, from its own element."""
    made = set[str]()
    for statement in loop.body:
        if any(part is node for part in ast.walk(statement)):
            break
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = {t.id for t in targets if isinstance(t, ast.Name)}
            if not heads(statement.value) & names:
                made |= names
    return made


def _statement(source: FunctionSource, node: ast.expr) -> ast.AST | None:
    here = source.module.parents.get(node)
    while here is not None and not isinstance(here, ast.stmt):
        here = source.module.parents.get(here)
    return here


def _bound_by(source: FunctionSource, node: ast.expr) -> set[str]:
    """Names that the statement of the await gives its result to."""
    statement = _statement(source, node)
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return changes(ast.walk(statement))
    return set()


def _is_used(source: FunctionSource, node: ast.expr) -> bool:
    """Whether the result is used, so that the await is not for its effect alone."""
    statement = _statement(source, node)
    return not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Await))


_TEXT = """
    async def quote(basket):
        stock = await reserve(basket)
        price = await total(basket)
        return stock, price
    async def page(client):
        token = await first(client)
        rows = await following(client, token)
        return rows
"""


def _sequence(line: int, name: str, *, awaited: tuple[str, str]) -> Async:
    return Async(
        sequences=(
            AwaitSequence(
                function=Function(FILE, line, name),
                calls=10,
                awaits=tuple(
                    AwaitStep(
                        line=line + i + 1,
                        column=12,
                        awaited=awaited[i],
                        waits_for="Future",
                        count=10,
                        total_s=0.5,
                        longest_s=0.05,
                        loop_busy_s=0.0,
                    )
                    for i in range(2)
                ),
                awaiting_s=1.0,
                overlap_s=0.5,
                open_s=1.0,
            ),
        )
    )


RULE = KindRule(
    id="sequential-await",
    kind=BottleneckKind.SEQUENTIAL_AWAIT,
    title="Start them together in a TaskGroup",
    why="Each await waits for its own answer while the next request could be on its way.",
    limits="Order that matters on the other side is not seen here.",
    find=find,
    fires_on=example(_TEXT, asyncio=_sequence(2, "quote", awaited=("reserve", "total"))),
    silent_on=example(_TEXT, asyncio=_sequence(6, "page", awaited=("first", "following"))),
)
