"""What expressions are called, what they read and change, and what their values depend on."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from perfwright.profiling.diagnosis.source import FunctionSource, Loop

MUTATORS = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "push",
        "put",
        "put_nowait",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "subtract",
        "update",
        "write",
        "writelines",
        "writerow",
        "feed",
        "send",
        "register",
        "set",
        "advance",
        "move",
        "seek",
        "close",
    ]
)
TAKERS = frozenset(["pop", "popitem", "popleft", "remove", "discard"])
IMPURE = frozenset(
    [
        "next",
        "read",
        "readline",
        "readlines",
        "recv",
        "send",
        "sendall",
        "get_nowait",
        "input",
        "print",
        "random",
        "randint",
        "choice",
        "shuffle",
        "uniform",
        "gauss",
        "randrange",
        "sample",
        "time",
        "monotonic",
        "perf_counter",
        "process_time",
        "sleep",
        "now",
        "today",
        "utcnow",
        "uuid4",
        "uuid1",
        "urandom",
        "token_hex",
        "token_bytes",
        "getrandbits",
        "acquire",
        "release",
        "commit",
        "fetchone",
        "fetchall",
        "fetchmany",
        "execute",
        "executemany",
        "wait",
        "flush",
        "debug",
        "info",
        "warning",
        "error",
        "exception",
        "critical",
        "log",
        "advance",
        "consume",
        "peek",
        "iter",
    ]
)


def dotted(node: ast.AST | None) -> str:
    """`self.items` for that expression, and an empty string for what is no plain path."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            base = dotted(value)
            return f"{base}.{attr}" if base else ""
        case _:
            return ""


def callee(call: ast.Call, *, of: FunctionSource) -> str:
    """The full name that is called, imports resolved, as `copy.deepcopy`; `.name` of a method."""
    path = dotted(call.func)
    if not path:
        return f".{call.func.attr}" if isinstance(call.func, ast.Attribute) else ""
    head, _, rest = path.partition(".")
    known = of.imports.get(head) or of.module.imports.get(head)
    return path if known is None else f"{known}.{rest}" if rest else known


def method(call: ast.Call) -> str:
    """The last part of the called name."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def argument_of(call: ast.Call, name: str, *, of: FunctionSource) -> ast.expr | None:
    """What a call of the function gives for a parameter; None where the text does not say."""
    a = of.node.args
    names = [arg.arg for arg in (*a.posonlyargs, *a.args)]
    if of.owner is not None and isinstance(call.func, ast.Attribute):
        names = names[1:]
    if any(isinstance(arg, ast.Starred) for arg in call.args):
        return None
    given = dict(zip(names, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    return given.get(name)


def calls(function: FunctionSource, *names: str) -> Iterator[ast.Call]:
    """All calls in the function of a full name, or of any of the methods given as `.name`."""
    for node in function.nodes:
        if isinstance(node, ast.Call) and (
            callee(node, of=function) in names or f".{method(node)}" in names
        ):
            yield node


def paths(node: ast.AST) -> set[str]:
    """Every name and attribute path that an expression reads."""
    found = set[str]()
    bound = set[str]()
    stack: list[ast.AST] = [node]
    while stack:
        part = stack.pop()
        path = dotted(part)
        if path:
            found.add(path)
            continue
        if isinstance(part, ast.comprehension):
            bound |= names_in(part.target)
        if isinstance(part, ast.Lambda):
            bound |= {a.arg for a in part.args.args}
        stack.extend(ast.iter_child_nodes(part))
    return {path for path in found if path.partition(".")[0] not in bound}


def heads(node: ast.AST) -> set[str]:
    """The name that each path begins with which an expression reads: `row` of `row.total.net`."""
    return {path.partition(".")[0] for path in paths(node)}


def names_in(*nodes: ast.AST) -> set[str]:
    """Every plain name in these expressions or statements, read or given a value."""
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}


def changes(nodes: Iterable[ast.AST]) -> set[str]:
    """Paths that the statements assign, delete or change in place."""
    found = set[str]()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found.add(name)
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                found.add(dotted(node) or dotted(node.value))
            case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
                found.add(dotted(value) or dotted(_root(value)))
            case ast.ExceptHandler(name=str() as name):
                found.add(name)
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in MUTATORS | {
                "next",
                "read",
                "readline",
            }:
                found.add(dotted(value) or dotted(_root(value)))
            case ast.Call(func=ast.Name(id="next"), args=[first, *_]):
                found.add(dotted(first))
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found.update(names)
            case _:
                pass
    return found - {""}


def _root(node: ast.AST) -> ast.AST:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node


def turn_nodes(loop: Loop) -> Iterator[ast.AST]:
    """All that a turn of the loop executes, its target included."""
    parts: list[ast.AST] = []
    match loop:
        case ast.For() | ast.AsyncFor():
            parts = [loop.target, *loop.body]
        case ast.While():
            parts = [loop.test, *loop.body]
        case _:
            parts = [g.target for g in loop.generators]
            parts += [test for g in loop.generators for test in g.ifs]
            parts += [loop.key, loop.value] if isinstance(loop, ast.DictComp) else [loop.elt]
            parts += [g.iter for g in loop.generators[1:]]
    for part in parts:
        yield from ast.walk(part)


def is_outer(name: str, function: FunctionSource) -> bool:
    """Whether a function, or one inside it, declares the name to be of an outer one."""
    return any(
        isinstance(node, ast.Global | ast.Nonlocal) and name in node.names
        for node in ast.walk(function.node)
    )


def touches(path: str, changed: Iterable[str]) -> bool:
    """Whether a change of one of these paths may change what `path` reads."""
    return any(path == c or path.startswith(f"{c}.") or c.startswith(f"{path}.") for c in changed)


def is_invariant(node: ast.AST, loop: Loop) -> bool:
    """Whether nothing that the expression reads is changed by a turn of the loop, as seen here."""
    nodes = list(turn_nodes(loop))
    changed = changes(nodes)
    for inner in nodes:  # an inner loop over what stays the same comes to the same in each turn
        if not isinstance(inner, ast.For | ast.comprehension) or inner is loop:
            continue
        if not any(touches(path, changed) for path in paths(inner.iter)):
            changed -= names_in(inner.target)
    return not any(touches(path, changed) for path in paths(node))


def derived_from_input(function: FunctionSource) -> set[str]:
    """Local names that depend on arguments, or on what a loop over them yields."""
    return derived_from(function.parameters, function=function)


def derived_from(names: Iterable[str], *, function: FunctionSource) -> set[str]:
    """These names, and the local ones that depend on them."""
    tainted = set(names)
    for _ in range(3):  # chains of assignments settle quickly; more turns change nothing here
        before = len(tainted)
        for node in function.nodes:
            for target, value in flows(node):
                _taint(target, value, tainted=tainted)
        if len(tainted) == before:
            break
    return tainted


def flows(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """What gets its value from what."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(
            targets
        ) == len(values):
            yield from zip(targets, values, strict=True)
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets)
        case (
            ast.AnnAssign(target=target, value=ast.expr() as value)
            | ast.AugAssign(target=target, value=value)
            | ast.For(target=target, iter=value)
            | ast.AsyncFor(target=target, iter=value)
            | ast.comprehension(target=target, iter=value)
            | ast.NamedExpr(target=target, value=value)
            | ast.withitem(context_expr=value, optional_vars=ast.expr() as target)
        ):
            yield target, value
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield ast.Name(name, ast.Store()), node
        case ast.Call(func=ast.Attribute(value=ast.Name() as owner, attr=attr)) if attr in MUTATORS:
            yield from ((owner, argument) for argument in node.args)
        case _:
            pass


def _taint(target: ast.AST, value: ast.AST, *, tainted: set[str]) -> None:
    if heads(value) & tainted:
        tainted.update(names_in(target))


def text(node: ast.AST, *, limit: int = 60) -> str:
    """The source of an expression on one line, shortened."""
    line = " ".join(ast.unparse(node).split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
