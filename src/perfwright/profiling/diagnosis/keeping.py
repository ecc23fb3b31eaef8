"""Which function puts things into what outlives it, and whether anybody takes them out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import MAKERS, FunctionSource
from perfwright.profiling.diagnosis.syntax import MUTATORS, TAKERS, dotted, method, paths, text
from perfwright.profiling.model import Function

EMPTIERS = TAKERS | {"clear"}
PUTTERS = MUTATORS - EMPTIERS - {
    "write", "close", "sort", "reverse", "seek", "send", "set", "subtract",
}  # fmt: skip
LISTENERS = ("listener", "handler", "callback", "subscriber", "observer", "hook", "signal", "watch")
FOR_GOOD = 0.95  # a global, an attribute of a class, a variable of an enclosing function
LOOKED_UP = 0.9  # of a long-lived object: kept by key or for callbacks, never gone through
COLLECTED = 0.5  # and gone through or returned: the purpose may be to collect
BOUNDED = 0.45  # something takes elements out again


@dataclass(frozen=True, slots=True)
class Keeper:
    """A function that keeps things."""

    function: Function
    statement: str
    certainty: float
    line: int = 0
    container: str = ""
    """Last part of its name."""


def keeper(run: Run, source: FunctionSource) -> Keeper | None:
    """How a function keeps something in what outlives it; the surest way if there are several."""
    found = list(_ways(run, source))
    return max(found, key=lambda k: k.certainty, default=None)


def named_keeper(run: Run, name: str) -> Keeper | None:
    """The function, called most, that puts things into a container of this name."""
    found: list[tuple[int, Keeper]] = []
    for source in run.functions:
        for node, target in _puts(source):
            if _is_named(target, name) and _outlives(target, _local_names(source)):
                function = source.function
                certainty = _bound(run, source, target=target, sure=FOR_GOOD)
                kept = Keeper(function, text(node), certainty, _line(node), name)
                found.append((run.called.get(function, 0), kept))
    return max(found, key=lambda f: (f[0], f[1].function.name), default=(0, None))[1]


def _ways(run: Run, source: FunctionSource) -> Iterator[Keeper]:
    function, local = source.function, _local_names(source)
    for node, target in _puts(source):
        if isinstance(node, ast.Call) and _is_own_method(run, function, name=method(node)):
            continue  # what it does with it is seen there
        path = dotted(_root(target))
        head = path.partition(".")[0]
        if not path or not _outlives(target, local):
            continue
        if head == "self":
            if source.node.name in MAKERS or run.differs(function, "self"):
                continue  # what each object has of its own goes with it
            sure = _of_object(run, source, target=target)
        elif head in source.parameters:
            if run.differs(function, head):
                continue
            sure = FOR_GOOD if head in _kept_defaults(source) else COLLECTED
        else:
            sure = FOR_GOOD
        certainty = _bound(run, source, target=target, sure=sure)
        yield Keeper(function, text(node), certainty, _line(node), _name(target))


def is_asked_elsewhere(run: Run, keeper: Keeper) -> bool:
    """Whether another function reads the container, as of an index: then it grows on purpose."""
    return any(
        isinstance(node, ast.Name | ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and getattr(node, "id", getattr(node, "attr", "")) == keeper.container
        for source in run.functions
        if source.function != keeper.function
        for node in source.nodes
    )


def _kept_defaults(source: FunctionSource) -> set[str]:
    """Arguments whose default is one collection for all calls, as `cache={}`."""
    a = source.node.args
    plain = [*a.posonlyargs, *a.args]
    pairs = [
        *zip(plain[len(plain) - len(a.defaults) :], a.defaults, strict=True),
        *zip(a.kwonlyargs, a.kw_defaults, strict=True),
    ]
    return {
        arg.arg
        for arg, default in pairs
        if isinstance(default, ast.Dict | ast.List | ast.Set)
        or (isinstance(default, ast.Call) and method(default) in {"dict", "list", "set"})
    }


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _is_own_method(run: Run, caller: Function, *, name: str) -> bool:
    return any(
        other.node.name == name
        and other.owner is not None
        and caller in run.callers.get(other.function, ())
        for other in run.functions
    )


def _puts(source: FunctionSource) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Statements that put something into a container, and the container."""
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in PUTTERS:
                yield node, value
            case ast.Subscript(value=value, ctx=ast.Store()):
                yield node, value
            case ast.AugAssign(
                target=ast.Attribute() | ast.Name() as value,
                op=ast.Add() | ast.BitOr(),
                value=added,
            ) if not _is_counter(source, value, added=added):
                yield node, value
            case _:
                pass


def _is_counter(source: FunctionSource, target: ast.expr, *, added: ast.expr) -> bool:
    """Whether a sum grows, and no collection: `self.asked += 1`."""
    name = _name(target)
    known = (*source.module.globals.get(name, []), *_initial(source, name))
    return any(
        (isinstance(value, ast.Constant) and isinstance(value.value, int | float))
        or (isinstance(value, ast.Call) and method(value) in {"len", "int", "float", "sum"})
        for value in (added, *known)
    )


def _of_object(run: Run, source: FunctionSource, *, target: ast.expr) -> float:
    name = _name(target)
    if any(word in name.lower() for word in LISTENERS):
        return LOOKED_UP
    gone_through = any(
        _is_named(over, name)
        for other in run.functions
        if other.module is source.module
        for node in other.nodes
        for over in _read_whole(node)
    )
    return COLLECTED if gone_through else LOOKED_UP


def _read_whole(node: ast.AST) -> Iterator[ast.expr]:
    """Collections that a node goes through or gives away."""
    match node:
        case ast.For(iter=over) | ast.comprehension(iter=over):
            yield over
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Subscript):
            yield from (value,) if isinstance(value, ast.Name | ast.Attribute) else ()
        case ast.Call(func=ast.Name(id="sum" | "sorted" | "list" | "max" | "min"), args=args):
            yield from args
        case ast.Call(func=ast.Attribute(attr="join" | "dump" | "dumps"), args=args):
            yield from args
        case _:
            pass


def _bound(run: Run, source: FunctionSource, *, target: ast.expr, sure: float) -> float:
    """Less sure where a function that was called takes elements out, or the length is limited."""
    name = _name(target)
    for other in run.functions:
        if other.module is not source.module or other.node.name in MAKERS:
            continue
        if run.profile.calls and not run.called.get(other.function):
            continue
        if any(_takes(node, name) for node in other.nodes):
            return min(sure, BOUNDED)
    for values in (source.module.globals.get(name, []), _initial(source, name)):
        for value in values:
            if isinstance(value, ast.Call) and (
                any(k.arg in {"maxlen", "maxsize"} for k in value.keywords)
                or dotted(value.func).rpartition(".")[2].startswith("Weak")
            ):
                return min(sure, BOUNDED)
    return sure


def _initial(source: FunctionSource, name: str) -> list[ast.expr]:
    """What the class of a method assigns to an attribute."""
    return [
        node.value
        for node in ast.walk(source.owner or ast.Module([], []))
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if dotted(target).rpartition(".")[2] == name
    ]


def _takes(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in EMPTIERS:
            return _is_named(value, name)
        case ast.Subscript(value=value, ctx=ast.Del()):
            return _is_named(value, name)
        case ast.Assign(targets=targets):
            return any(isinstance(t, ast.Attribute) and t.attr == name for t in targets)
        case _:
            return False


def _outlives(target: ast.expr, local: set[str]) -> bool:
    path = dotted(_root(target))
    return bool(path) and ("." in path or path not in local)


def _root(target: ast.expr) -> ast.expr:
    """`self.rows` of `self.rows[key].setdefault(...)`."""
    while isinstance(target, ast.Subscript | ast.Call):
        called = isinstance(target, ast.Call)
        target = target.func if isinstance(target, ast.Call) else target.value
        if called and isinstance(target, ast.Attribute):
            target = target.value
    return target


def _name(target: ast.expr) -> str:
    return dotted(_root(target)).rpartition(".")[2]


def _is_named(target: ast.expr, name: str) -> bool:
    return any(path.rpartition(".")[2] == name or f".{name}." in path for path in paths(target))


def _local_names(source: FunctionSource) -> set[str]:
    stored = {
        n.id for n in source.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    shared = {
        name for n in source.nodes if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names
    }
    return stored - shared
