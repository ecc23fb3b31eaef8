"""Which operations of a function need what others before them did.

An operation needs an earlier one whose result reaches it: through names, through a condition that
decides whether it happens at all, through the object that both change, or because it happens inside
a context that the other has to enter first. In doubt it does.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from perfwright.profiling.diagnosis.source import FUNCTIONS, FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    changes,
    dotted,
    flows,
    method,
    paths,
    touches,
)

Position = tuple[int, int]
Test = Callable[[ast.AST], bool]
READS_ON = frozenset(
    [
        "read", "readline", "readexactly", "readuntil", "readlines", "recv", "recvfrom", "receive",
        "receive_text", "receive_json", "receive_bytes", "fetchone", "fetchmany", "anext",
    ]
)  # fmt: skip
"""Each call takes what the one before has left."""
WRITES_ON = frozenset(
    [
        "write", "writelines", "send", "sendall", "send_text", "send_json", "send_bytes",
        "send_str", "drain", "feed", "feed_data", "put", "push", "flush", "write_eof",
        "execute", "executemany",
    ]
)  # fmt: skip
"""What is handed over has to arrive in this order."""
ONE_AT_A_TIME = frozenset(
    [
        "conn", "connection", "cursor", "cur", "tx", "transaction", "reader", "writer", "stream",
        "websocket", "ws", "pipe", "protocol", "transport", "sock", "socket", "channel", "serial",
    ]
)  # fmt: skip
"""Names of objects that do one thing at a time."""
CHANGES = {
    "create", "update", "delete", "save", "insert", "set", "add", "remove", "put", "post", "patch",
    "begin", "commit", "login", "connect", "authenticate", "start", "open", "init", "prepare",
}  # fmt: skip
"""First words of calls that leave their object, or what stands behind it, in another state."""
GUARDS = ("check", "ensure", "require", "assert", "validate", "verify", "authorize", "authorise")
TALKERS = {"log", "logger", "logging", "_log", "_logger", "warnings"}
LEAVERS = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def needs(source: FunctionSource, later: ast.expr, *, earlier: ast.expr) -> bool:
    """Whether one operation, as far as the text tells, must wait for another one before it."""
    if any(node is earlier for node in ast.walk(later)) or _same_thread(later, earlier):
        return True
    if _leaves_changed(earlier, later):
        return True
    if not (is_used(source, earlier) and is_used(source, later)) and _meet(earlier, later):
        return True
    if _written(source, earlier) & _read(source, later) or _is_handed(
        source, later, earlier=earlier
    ):
        return True
    if _single(_read(source, earlier)) & _single(_read(source, later)):
        return True
    return reach(source, earlier).includes(source, later)


def is_used(source: FunctionSource, node: ast.expr) -> bool:
    """Whether a result is used, so that the operation is not for its effect alone."""
    above = source.module.parents.get(node)
    if isinstance(above, ast.Await):
        above = source.module.parents.get(above)
    return not isinstance(above, ast.Expr)


@dataclass(slots=True)
class Reach:
    """What the result of an operation reaches."""

    names: set[str] = field(default_factory=set)
    regions: list[tuple[Position, Position]] = field(default_factory=list)
    """Text that is executed, or not, depending on the result."""

    def includes(self, source: FunctionSource, node: ast.expr) -> bool:
        """Whether an operation is told what to do, or whether to happen, by the result."""
        where = _start(node)
        if any(first <= where < last for first, last in self.regions):
            return True
        if any(touches(path, self.names) for path in paths(node)):
            return True
        kept = {name.split(".")[1] for name in self.names if name.startswith("self.")}
        return bool(kept & _read(source, node))

    def touch(self, node: ast.AST) -> bool:
        """Whether an expression reads anything that depends on the result."""
        return any(touches(path, self.names) for path in paths(node))


def reach(source: FunctionSource, node: ast.expr) -> Reach:
    """Follow a result through the text behind it."""
    found = Reach()
    inside = {node, *_around(source, node)}
    begin = _start(_statement(source, node) or node)

    def hit(value: ast.AST) -> bool:
        return value in inside or found.touch(value)

    for part in source.nodes:
        if _start(part) < begin and not isinstance(part, ast.Try):
            continue
        for target, value in flows(part):
            if hit(value):
                found.names |= _roots(target)
        _follow_control(source, part, found=found, hit=hit, holds=inside.__contains__)
        _follow_call(source, part, found=found, hit=hit)
    return found


def _follow_control(
    source: FunctionSource, part: ast.AST, *, found: Reach, hit: Test, holds: Test
) -> None:
    blocks: list[ast.AST] = []
    match part:
        case ast.If(test=test) | ast.While(test=test) if hit(test):
            blocks = [*part.body, *part.orelse]
            if any(_leaves(block) for block in blocks):
                found.regions.append((_end(part), _scope_end(source, part)))
        case ast.IfExp(test=test) if hit(test):
            blocks = [part.body, part.orelse]
        case ast.BoolOp(values=values):
            first = next((i for i, value in enumerate(values) if hit(value)), len(values))
            blocks = list(values[first + 1 :])
        case ast.For(iter=over) | ast.AsyncFor(iter=over) if hit(over):
            blocks = list(part.body)
        case ast.Match(subject=subject) if hit(subject):
            blocks = [statement for case in part.cases for statement in case.body]
            if any(_leaves(block) for block in blocks):
                found.regions.append((_end(part), _scope_end(source, part)))
        case ast.Assert(test=test) if hit(test):
            found.regions.append((_end(part), _scope_end(source, part)))
        case ast.Try(body=body, handlers=handlers) if any(holds(block) for block in body):
            blocks = [statement for handler in handlers for statement in handler.body]
        case ast.With(items=items) | ast.AsyncWith(items=items) if any(
            holds(item.context_expr) for item in items
        ):
            blocks = list(part.body)
        case _:
            pass
    for block in blocks:
        found.regions.append((_start(block), _end(block)))
        found.names |= changes(ast.walk(block))


def _follow_call(source: FunctionSource, part: ast.AST, *, found: Reach, hit: Test) -> None:
    """A call for its effect may store what it is given, or refuse to go on."""
    match part:
        case ast.Expr(value=ast.Call(func=func, args=args, keywords=keywords) as call):
            given = [*args, *(keyword.value for keyword in keywords)]
            if not any(map(hit, given)) or dotted(func).partition(".")[0] in {*TALKERS, "print"}:
                return
            if isinstance(func, ast.Attribute):
                found.names |= _roots(func.value)
            found.names |= {path for value in given if (path := dotted(value))}
            if method(call).lstrip("_").startswith(GUARDS):
                found.regions.append((_end(part), _scope_end(source, part)))
        case _:
            pass


def _same_thread(later: ast.expr, earlier: ast.expr) -> bool:
    """Whether both go on with the same stream, cursor or connection."""
    match later, earlier:
        case (
            ast.Call(func=ast.Attribute(value=a, attr=one)),
            ast.Call(func=ast.Attribute(value=b, attr=other)),
        ):
            if not dotted(a) or dotted(a) != dotted(b):
                return False
            return is_in_turn(dotted(a), one) or is_in_turn(dotted(b), other)
        case _:
            return False


def is_in_turn(receiver: str, called: str) -> bool:
    """Whether such a call goes on where the last one of the same object ended."""
    name = receiver.rpartition(".")[2].lstrip("_").lower()
    return called in READS_ON or name in ONE_AT_A_TIME


def _leaves_changed(earlier: ast.expr, later: ast.expr) -> bool:
    """Whether one changes what the other asks, as the name of its method says."""
    names = [method(node) for node in (earlier, later) if isinstance(node, ast.Call)]
    changed = any(name.lstrip("_").partition("_")[0] in CHANGES for name in names)
    return changed and bool(_receiver(earlier) & _receiver(later) - {""})


def _single(attributes: set[str]) -> set[str]:
    return {name for name in attributes if name.lstrip("_").lower() in ONE_AT_A_TIME}


def _is_handed(source: FunctionSource, later: ast.expr, *, earlier: ast.expr) -> bool:
    """Whether the later operation is one of an object that the earlier one was given to work on."""
    match later:
        case ast.Call(func=ast.Attribute(value=owner)) if path := dotted(owner):
            given = _objects(earlier) - _receiver(earlier)
            for name in tuple(given):
                given |= {p for value in source.assigned.get(name, []) for p in paths(value)}
            return path in given and path != "self"
        case _:
            return False


def _receiver(node: ast.expr) -> set[str]:
    match node:
        case ast.Call(func=ast.Attribute(value=owner)):
            return {dotted(owner)}
        case _:
            return set()


def _meet(earlier: ast.expr, later: ast.expr) -> bool:
    """Whether the same object is asked, or handed over, by both."""
    return bool(_objects(earlier) & _objects(later))


def _objects(node: ast.expr) -> set[str]:
    match node:
        case ast.Call(func=func, args=args, keywords=keywords):
            given = [*args, *(keyword.value for keyword in keywords)]
            found = {dotted(value) for value in given}
            if isinstance(func, ast.Attribute):
                found.add(dotted(func.value))
            return found - {""}
        case _:
            return paths(node)


def _method_of_self(source: FunctionSource, node: ast.expr) -> FunctionSource | None:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
            return next(
                (
                    other
                    for other in source.module.functions
                    if other.owner is source.owner is not None and other.node.name == name
                ),
                None,
            )
        case _:
            return None


def _written(source: FunctionSource, node: ast.expr) -> set[str]:
    """Attributes that an own method sets; counters left out."""
    called = _method_of_self(source, node)
    return {
        target.attr
        for part in (called.nodes if called else ())
        if isinstance(part, ast.Assign)
        for target in part.targets
        if isinstance(target, ast.Attribute) and dotted(target.value) == "self"
    }


def _read(source: FunctionSource, node: ast.expr, *, depth: int = 2) -> set[str]:
    """Attributes that an own method reads, those that it calls included."""
    called = _method_of_self(source, node)
    if called is None:
        return set()
    found = {
        part.attr
        for part in called.nodes
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Load)
        and dotted(part.value) == "self"
    }
    if depth:
        for part in called.nodes:
            if isinstance(part, ast.Call):
                found |= _read(called, part, depth=depth - 1)
    return found


def _roots(target: ast.AST) -> set[str]:
    """Paths that an assignment changes: `request.user`, and `headers` of `headers["user"]`."""
    match target:
        case ast.Name(id=name):
            return {name}
        case ast.Attribute():
            return {dotted(target)} - {""} or _roots(target.value)
        case ast.Subscript(value=value) | ast.Starred(value=value):
            return _roots(value)
        case ast.Call(func=ast.Attribute(value=value)):
            return _roots(value)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return {root for part in parts for root in _roots(part)}
        case _:
            return set()


def _leaves(statement: ast.AST) -> bool:
    return any(
        isinstance(node, LEAVERS) for node in ast.walk(statement) if not isinstance(node, FUNCTIONS)
    )


def _around(source: FunctionSource, node: ast.AST) -> Iterator[ast.AST]:
    here = source.module.parents.get(node)
    while here is not None and here is not source.node:
        yield here
        here = source.module.parents.get(here)


def _statement(source: FunctionSource, node: ast.AST) -> ast.stmt | None:
    return next((a for a in _around(source, node) if isinstance(a, ast.stmt)), None)


def _scope_end(source: FunctionSource, node: ast.AST) -> Position:
    """Where the loop around a statement ends, or the function."""
    loops = source.loops_around(node)
    return _end(loops[0] if loops else source.node)


def _start(node: ast.AST) -> Position:
    if isinstance(node, ast.withitem):
        node = node.context_expr
    elif isinstance(node, ast.comprehension):
        node = node.iter
    line = getattr(node, "lineno", None)
    return (line, getattr(node, "col_offset", 0)) if line else (1 << 30, 0)


def _end(node: ast.AST) -> Position:
    return (getattr(node, "end_lineno", 0) or 0, getattr(node, "end_col_offset", 0) or 0)
