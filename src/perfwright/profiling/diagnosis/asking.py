"""What an expression asks for a result, and whether the answer costs anything."""

from __future__ import annotations

import ast

from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.samples import simple
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import IMPURE, MUTATORS, callee, method

QUICK = {
    "abs", "bool", "bytearray", "chr", "ord", "round", "hash",
    "collections.defaultdict", "collections.deque", "dict", "enumerate",
    "float", "getattr", "hasattr", "id", "int", "io.BytesIO", "io.StringIO", "isinstance", "iter",
    "len", "list", "object", "open", "print", "range", "set", "str", "super", "threading.Lock",
    "threading.RLock", "type", "zip",
}  # fmt: skip
VIEWS = {"items", "keys", "values"}


def asked_name(node: ast.AST, source: FunctionSource) -> str:
    """The simple name of what an expression calls for its result; properties included."""
    parent = source.module.parents.get(node)
    if isinstance(parent, ast.Expr | ast.Await):
        return ""
    if isinstance(node, ast.Call):
        name = method(node)
        known = callee(node, of=source)
        if known in QUICK or known.startswith("random."):
            return ""
        if name in VIEWS and not node.args:
            return ""  # costs nothing, however large
        if any(method(n) in IMPURE | MUTATORS for n in ast.walk(node) if isinstance(n, ast.Call)):
            return ""
        return name
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        return "" if isinstance(parent, ast.Call) and parent.func is node else node.attr
    return ""


def calls_on_line(source: FunctionSource, node: ast.AST) -> int:
    """How many calls begin on the line of an expression."""
    line = getattr(node, "lineno", 0)
    return sum(isinstance(n, ast.Call) and n.lineno == line for n in source.nodes)


def is_cheap(place: Place, samples: frozenset[int], *, name: str) -> bool:
    """Whether what is called took little, as counted, or something else on its line took most."""
    if place.run.is_quick(place.function, name):
        return True
    below = [n for n in samples if place.run.samples[n].foreign]
    others = [n for n in below if simple(place.run.samples[n].foreign[0].function) != name]
    return place.run.seconds(others) > 0.6 * place.run.seconds(samples) > 0
