"""Where a sampler inside the process sees an operation that it cannot interrupt.

Another thread gets the interpreter only where it checks for that: after calls, and at the jump
back of a loop. The time of `x in rows`, `text[i:]` or `a + b` is seen at the next such place.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from perfwright.profiling.diagnosis.source import COMPREHENSIONS, FunctionSource
from perfwright.profiling.diagnosis.syntax import method

MAX_STATEMENTS = 8
# What takes a fixed small time; other calls on a line may have cost the time that is seen there.
QUICK = frozenset(
    [
        "len",
        "append",
        "add",
        "min",
        "max",
        "abs",
        "int",
        "float",
        "str",
        "isinstance",
        "startswith",
        "endswith",
        "get",
        "ord",
        "chr",
        "pop",
        "popleft",
        "bool",
        "id",
        "hash",
        "range",
        "enumerate",
        "iter",
        "next",
        "debug",
        "group",
        "start",
        "end",
        "span",
        "items",
        "keys",
        "values",
        "type",
        "getattr",
    ]
)

# CPython 3.11 to 3.13 executes these without looking whether it is to be interrupted.
UNCHECKED = frozenset(["append", "len", "isinstance"])


def landing_lines(
    source: FunctionSource, node: ast.AST, *, is_quick: Callable[[str], bool] = lambda _: False
) -> frozenset[int]:
    """Lines after an operation on which its time may be seen; its own line left out.

    Args:
        source: The function that it is in.
        node: The operation.
        is_quick: Tells of a called name whether it was seen to take little time here.
    """
    statement = _statement(source, node)
    if statement is None or _is_interruptible_within(source, node, statement=statement):
        return frozenset()
    # Calls of functions in the same file have samples of their own, not at this line.
    own = {function.node.name for function in source.module.functions}
    lines = set[int]()
    waiting = list(_following(source, statement, node=node))
    seen = set[ast.AST]()
    while waiting and len(seen) < MAX_STATEMENTS:
        following = waiting.pop(0)
        if following in seen:
            continue
        seen.add(following)
        if isinstance(following, ast.For | ast.While) and following in _parents(source, statement):
            lines |= _back_lines(source, following)
            continue
        head = _head(following)
        called = {method(n) for part in head for n in ast.walk(part) if isinstance(n, ast.Call)}
        if not all(map(is_quick, called - QUICK - own)):
            continue
        lines.update(part.lineno for part in head if isinstance(part, ast.expr | ast.stmt))
        lines.add(following.lineno)
        if called <= UNCHECKED and not isinstance(following, ast.AsyncFor | ast.Return):
            waiting.extend(_following(source, following, node=None))
    return frozenset(lines)


def _back_lines(source: FunctionSource, loop: ast.For | ast.While) -> set[int]:
    """Where the jump back of a loop is seen; see `skid.back_edge`."""
    last = loop.body[-1].end_lineno or loop.lineno
    return {loop.lineno, last, source.first_line, source.node.lineno}


def _statement(source: FunctionSource, node: ast.AST) -> ast.stmt | None:
    here: ast.AST | None = node
    while here is not None and not isinstance(here, ast.stmt):
        here = source.module.parents.get(here)
    return here


def _is_interruptible_within(source: FunctionSource, node: ast.AST, *, statement: ast.stmt) -> bool:
    """Whether the statement itself makes a call, or turns a loop, with the result."""
    here = source.module.parents.get(node)
    while here is not None and here is not statement:
        if isinstance(here, (ast.Call, *COMPREHENSIONS)):
            return True
        here = source.module.parents.get(here)
    return False


def _parents(source: FunctionSource, node: ast.AST) -> Iterator[ast.AST]:
    here = source.module.parents.get(node)
    while here is not None and here is not source.node:
        yield here
        here = source.module.parents.get(here)


def _head(statement: ast.stmt) -> list[ast.AST]:
    """What a statement executes before any block inside it."""
    match statement:
        case ast.If(test=test) | ast.While(test=test):
            return [test]
        case ast.For(iter=over):
            return [over]
        case ast.With(items=items):
            return [item.context_expr for item in items]
        case ast.Try(body=[first, *_]):
            return _head(first)
        case _:
            return [statement]


def _following(
    source: FunctionSource, statement: ast.stmt, *, node: ast.AST | None
) -> Iterator[ast.stmt]:
    """Statements that may be executed next; a loop around it stands for its jump back."""
    match statement:
        case ast.If(body=body, orelse=orelse):
            yield body[0]
            if orelse:
                yield orelse[0]
                return
        case ast.For(body=[ast.Expr() as first, *_]):  # a mere call costs nothing by itself
            yield first
        case ast.While(body=body) | ast.Try(body=body) | ast.With(body=body):
            yield body[0]
            if not isinstance(statement, ast.While):
                return
        case ast.Continue():
            loop = next(
                (p for p in _parents(source, statement) if isinstance(p, ast.For | ast.While)), None
            )
            if loop is not None:
                yield loop
            return
        case ast.Break() | ast.Return() | ast.Raise():
            return
        case _:
            pass
    following = _next(source, statement)
    if following is not None:
        yield following


def _next(source: FunctionSource, statement: ast.stmt) -> ast.stmt | None:
    parent = source.module.parents.get(statement)
    for name in ("body", "orelse", "finalbody", "handlers"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and statement in block:
            index = block.index(statement)
            if index + 1 < len(block) and isinstance(block[index + 1], ast.stmt):
                return block[index + 1]  # type: ignore[no-any-return]
    if isinstance(parent, ast.For | ast.While | ast.AsyncFor):
        return parent
    if parent is source.node or not isinstance(parent, ast.stmt):
        return None
    return _next(source, parent)
