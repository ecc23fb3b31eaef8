"""Whether a loop changes, through the functions that it calls, what an expression in it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.purity import own_below
from perfwright.profiling.diagnosis.source import FunctionSource, Loop
from perfwright.profiling.diagnosis.syntax import changes, method, turn_nodes

DEPTH = 3  # calls from the loop to what changes something


def is_fed(place: Place, node: ast.AST, *, loops: Iterable[Loop]) -> bool:
    """Whether these loops, or own functions that they call, change what those of `node` read."""
    loops = tuple(loops)
    inside = {id(part) for part in ast.walk(node)}
    called = {
        method(part)
        for loop in loops
        for part in ast.walk(loop)
        if isinstance(part, ast.Call) and id(part) not in inside
    }
    below = [other.source for other in own_below(place, node) if other.source is not None]
    below += [source for source in _own_methods(place, node) if source not in below]
    if not below:
        return False
    read = {name for source in below for name in _read(source)}
    turns = (part for loop in loops for part in turn_nodes(loop) if id(part) not in inside)
    here = {path.rpartition(".")[2] for path in changes(turns) if "." in path}
    return bool(read & (here | _changed(place, called, but=below)))


def _own_methods(place: Place, node: ast.AST) -> Iterator[FunctionSource]:
    """Methods of the same object that an expression names, seen to be called or not."""
    names = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and _is_self(n.value)}
    if place.source is None or place.source.owner is None:
        return
    for other in place.source.module.functions:
        if other.owner is place.source.owner and other.node.name in names:
            yield other


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _read(source: FunctionSource) -> set[str]:
    """Names of attributes and globals that a function reads."""
    names = {n.attr for n in source.nodes if isinstance(n, ast.Attribute)}
    return names | {n.id for n in source.nodes if isinstance(n, ast.Name)} & set(
        source.module.globals
    )


def _changed(place: Place, names: set[str], *, but: list[FunctionSource]) -> set[str]:
    """Last parts of what functions of these names change, and those that they call."""
    if place.source is None:
        return set()
    text_calls = place.run.text_calls
    left = [s for s in text_calls.below(place.source) if s.node.name in names]
    found, seen = set[str](), set(but)
    for _ in range(DEPTH):
        left = [source for source in left if source not in seen]
        seen.update(left)
        found |= {path.rpartition(".")[2] for source in left for path in _lasting(source)}
        left = [inner for source in left for inner in text_calls.below(source)]
    return found


def _lasting(source: FunctionSource) -> set[str]:
    """Paths that it changes and that outlive its call."""
    local = {n.id for n in source.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    shared = {name for n in source.nodes if isinstance(n, ast.Global) for name in n.names}
    return {p for p in changes(source.nodes) if "." in p or p not in local or p in shared}
