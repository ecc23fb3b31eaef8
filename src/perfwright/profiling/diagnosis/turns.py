"""Whether the turns of a loop could happen at the same time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perfwright.profiling.diagnosis.dependence import WRITES_ON, is_in_turn, is_used, reach
from perfwright.profiling.diagnosis.source import FunctionSource, Loop
from perfwright.profiling.diagnosis.syntax import (
    TAKERS,
    changes,
    dotted,
    heads,
    is_invariant,
    method,
    names_in,
    paths,
    touches,
    turn_nodes,
)
from perfwright.profiling.diagnosis.traversal import is_rehearsal

if TYPE_CHECKING:
    from perfwright.profiling.diagnosis.run import Run

BEGINNERS = {"create_task", "ensure_future", "run_in_executor", "submit", "apply_async"}


def turns_are_independent(source: FunctionSource, node: ast.expr) -> bool:
    """Whether an operation in a loop needs nothing of earlier turns, as far as the text tells."""
    loops = source.loops_around(node)
    if not loops or is_rehearsal(loops[0]):
        return False
    loop = loops[0]
    if isinstance(loop, ast.While):
        taken = _taken(loop)
        return bool(taken) and _needs_only(source, node, loop=loop, given=taken)
    if _goes_on(source, node, loop=loop) or not _asks_for_the_element(source, node, loop=loop):
        return False
    if not isinstance(loop, ast.For | ast.AsyncFor):
        return True
    return _needs_only(source, node, loop=loop, given=names_in(loop.target))


def _needs_only(
    source: FunctionSource,
    node: ast.expr,
    *,
    loop: ast.For | ast.AsyncFor | ast.While,
    given: set[str],
) -> bool:
    """Whether an operation reads what its turn was given, and nothing that earlier ones left."""
    if _goes_on(source, node, loop=loop) or _may_end(source, node, loop=loop):
        return False
    carried = changes(turn_nodes(loop)) - given
    made_here = _made_before(loop, node)
    return not any(touches(path, carried - made_here - {"self"}) for path in paths(node))


def _taken(loop: ast.While) -> set[str]:
    """What a turn takes from a list that nothing is added to: `url` of `url = waiting.pop()`."""
    match loop:
        case ast.While(
            test=ast.Name(id=tested),
            body=[
                ast.Assign(
                    targets=[target],
                    value=ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=attr)),
                ),
                *rest,
            ],
        ) if owner == tested and attr in TAKERS:
            filled = changes(part for statement in rest for part in ast.walk(statement))
            return set() if owner in filled else names_in(target)
        case _:
            return set()


def standing_part(run: Run, *, besides: frozenset[str]) -> float:
    """How much of the other threads' time is no computing: that much may overlap.

    What other processes do is not seen, and overlaps.
    """
    others = [sample for sample in run.samples if sample.thread not in besides and sample.near >= 0]
    whole_s = sum(sample.seconds for sample in others)
    return sum(s.seconds for s in others if s.state == "waiting") / whole_s if whole_s else 1.0


def begun_in_turn(source: FunctionSource, awaited: ast.expr) -> ast.Call | None:
    """The call that began what a turn of a loop then waits for: `task = create_task(...)`."""
    loops = source.loops_around(awaited)
    if not isinstance(awaited, ast.Name) or not loops:
        return None
    return next(
        (
            value
            for value in source.assigned.get(awaited.id, [])
            if isinstance(value, ast.Call)
            and method(value) in BEGINNERS
            and source.loops_around(value)[:1] == loops[:1]
        ),
        None,
    )


def _asks_for_the_element(source: FunctionSource, node: ast.expr, *, loop: Loop) -> bool:
    """Whether what is asked for differs from turn to turn; a flush of what came together does not.

    A call through a name that the turns give another value to counts as well.
    """
    given = changes(turn_nodes(loop))
    return any(touches(path, given) for path in paths(node))


def _goes_on(source: FunctionSource, node: ast.expr, *, loop: Loop) -> bool:
    """Whether each turn goes on with the same stream or connection."""
    match node:
        case ast.Call(func=ast.Attribute(value=receiver, attr=attr)) if dotted(receiver):
            if not is_invariant(receiver, loop):
                return False
            return is_in_turn(dotted(receiver), attr) or (
                attr in WRITES_ON and not is_used(source, node)
            )
        case _:
            return False


def _may_end(
    source: FunctionSource, node: ast.expr, *, loop: ast.For | ast.AsyncFor | ast.While
) -> bool:
    """Whether a turn's result may be the last one wanted, as of the first mirror that answers."""
    found = reach(source, node)
    for part in source.nodes:
        if not isinstance(part, ast.Break | ast.Return) or loop not in source.loops_around(part):
            continue
        tests = list(_tests(source, part, within=loop))
        if any(n is node for n in ast.walk(part)):
            return True
        decided = any(found.touch(test) or _holds(test, node) for test in tests)
        if part.lineno >= node.lineno and (decided or not tests):
            return True
    return False


def _tests(source: FunctionSource, part: ast.AST, *, within: ast.AST) -> Iterator[ast.AST]:
    """What decides within a loop whether a statement is executed."""
    here = source.module.parents.get(part)
    while here is not None and here is not within:
        match here:
            case ast.If(test=test):
                yield test
            case ast.Match(subject=subject):
                yield subject
            case _:
                pass
        here = source.module.parents.get(here)


def _holds(test: ast.AST, node: ast.AST) -> bool:
    return any(part is node for part in ast.walk(test))


def _made_before(loop: ast.For | ast.AsyncFor | ast.While, node: ast.expr) -> set[str]:
    """Names that each turn sets anew, before the operation, from its own element."""
    made = set[str]()
    for statement in loop.body:
        if any(part is node for part in ast.walk(statement)):
            for part in ast.walk(statement):  # `response` of `async with get(url) as response`
                if isinstance(part, ast.withitem) and part.optional_vars is not None:
                    made |= names_in(part.optional_vars)
            break
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = {t.id for t in targets if isinstance(t, ast.Name)}
            if not heads(statement.value) & names:
                made |= names
    return made
