"""The likely builtin type of an expression, from assignments and annotations."""

from __future__ import annotations

import ast

from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import callee

_BY_CALL = {
    "list": "list",
    "sorted": "list",
    "set": "set",
    "frozenset": "set",
    "dict": "dict",
    "tuple": "tuple",
    "str": "str",
    "repr": "str",
    "bytes": "bytes",
    "bytearray": "bytearray",
    "int": "number",
    "float": "number",
    "len": "number",
    "sum": "number",
    "collections.deque": "deque",
    "collections.defaultdict": "dict",
    "collections.OrderedDict": "dict",
    "collections.Counter": "dict",
    "collections.ChainMap": "dict",
    "dict.fromkeys": "dict",
    "range": "range",
    "io.StringIO": "buffer",
    "io.BytesIO": "buffer",
}
_BY_DISPLAY: dict[type[ast.expr], str] = {
    ast.List: "list",
    ast.ListComp: "list",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Tuple: "tuple",
    ast.JoinedStr: "str",
}
_BY_METHOD = {
    "split": "list",
    "splitlines": "list",
    "rsplit": "list",
    "readlines": "list",
    "fetchall": "list",
    "findall": "list",
    "join": "str",
    "strip": "str",
    "lower": "str",
    "upper": "str",
    "replace": "str",
    "format": "str",
    "decode": "str",
    "hexdigest": "str",
    "isoformat": "str",
    "encode": "bytes",
    "values": "list",
    "keys": "set",
    "items": "set",
    "union": "set",
    "difference": "set",
    "intersection": "set",
}
_BY_USE = {
    "append": "list",
    "extend": "list",
    "insert": "list",
    "sort": "list",
    "add": "set",
    "discard": "set",
    "items": "dict",
    "keys": "dict",
    "setdefault": "dict",
    "appendleft": "deque",
    "popleft": "deque",
    "startswith": "str",
    "lower": "str",
}
"""What an unknown value is asked to do tells it from others, the first name that is found here."""
_BY_ANNOTATION = {
    "list": "list",
    "List": "list",
    "Sequence": "list",
    "MutableSequence": "list",
    "tuple": "tuple",
    "Tuple": "tuple",
    "set": "set",
    "Set": "set",
    "frozenset": "set",
    "dict": "dict",
    "Dict": "dict",
    "Mapping": "dict",
    "str": "str",
    "bytes": "bytes",
    "int": "number",
    "float": "number",
    "deque": "deque",
}


def type_of(node: ast.expr | None, *, of: FunctionSource, depth: int = 0) -> str | None:
    """The likely builtin type of an expression, or None."""
    if node is None or depth > 3:
        return None
    match node:
        case ast.Constant(value=value):
            return "number" if isinstance(value, int | float) else type(value).__name__
        case ast.BoolOp(values=parts):
            return _settle(parts, of=of, depth=depth)
        case ast.IfExp(body=body, orelse=other):
            return _settle([body, other], of=of, depth=depth)
        case ast.BinOp(left=left, op=op, right=right):
            kind = type_of(left, of=of, depth=depth + 1)
            if kind == "str" and isinstance(op, ast.Mod):
                return "str"
            return kind or type_of(right, of=of, depth=depth + 1)
        case ast.Subscript(value=value, slice=ast.Slice()):
            return type_of(value, of=of, depth=depth + 1)
        case ast.Call():
            return _type_of_call(node, of=of, depth=depth)
        case ast.Name(id=name):
            declared = _annotated(name, of)
            if declared and name in of.parameters:
                return declared
            found = _settle(_values_of_name(name, of), of=of, depth=depth)
            return found or declared or _used_as(name, of)
        case ast.Attribute(value=ast.Name(id="self"), attr=attr):
            return _settle(_values_of_attribute(attr, of), of=of, depth=depth) or (
                _annotated_attribute(attr, of)
            )
        case _:
            return _BY_DISPLAY.get(type(node))


def _type_of_call(node: ast.Call, *, of: FunctionSource, depth: int) -> str | None:
    known = _BY_CALL.get(callee(node, of=of))
    match node.func:
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if name == _first(of):
            return known or _made_by(f"{of.name.rpartition('.')[0]}.{attr}", of=of, depth=depth)
        case ast.Attribute(value=value, attr="copy"):
            return known or type_of(value, of=of, depth=depth + 1)
        case ast.Attribute(attr=attr):
            return known or _BY_METHOD.get(attr)
        case ast.Name(id=name):
            return known or _made_by(name, of=of, depth=depth)
        case _:
            return known


def _first(method: FunctionSource) -> str:
    """What a method calls its object, mostly `self`."""
    args = method.node.args.args
    return args[0].arg if method.owner is not None and args else ""


def _made_by(name: str, *, of: FunctionSource, depth: int) -> str | None:
    """What a function of the same file returns: as annotated, else as its returns tell."""
    other = of.module.by_name.get(name)
    if other is None:
        return None
    returned = [n.value for n in other.nodes if isinstance(n, ast.Return) and n.value]
    return _from_annotation(other.node.returns) or _settle(returned, of=other, depth=depth + 1)


def _used_as(name: str, function: FunctionSource) -> str | None:
    """What the methods that the function calls on a value are methods of."""
    asked = function.asked_of.get(name, ())
    return next((_BY_USE[method] for method in asked if method in _BY_USE), None)


def _settle(values: list[ast.expr], *, of: FunctionSource, depth: int) -> str | None:
    found = {type_of(value, of=of, depth=depth + 1) for value in values}
    found -= {None, "NoneType"}
    return found.pop() if len(found) == 1 else None


def _values_of_name(name: str, function: FunctionSource) -> list[ast.expr]:
    found = function.assigned.get(name, [])
    shared = any(isinstance(n, ast.Nonlocal) and name in n.names for n in function.nodes)
    if name in function.parameters:
        return [*found, *_defaults(name, function)]
    if found and not shared:
        return found
    outer = function.name.rpartition(".<locals>.")[0]
    for other in function.module.functions if outer else ():
        if other.name == outer:
            return _values_of_name(name, other)
    return function.module.globals.get(name, [])


def _defaults(name: str, function: FunctionSource) -> list[ast.expr]:
    a = function.node.args
    plain = [*a.posonlyargs, *a.args]
    pairs = [
        *zip(reversed(plain), reversed(a.defaults), strict=False),
        *zip(a.kwonlyargs, a.kw_defaults, strict=True),
    ]
    return [
        default
        for arg, default in pairs
        if arg.arg == name and default is not None and not _is_empty_tuple(default)
    ]


def _is_empty_tuple(node: ast.expr) -> bool:
    """Whether it is a default that says nothing: `()` stands for any collection."""
    return isinstance(node, ast.Tuple) and not node.elts


def _values_of_attribute(attr: str, function: FunctionSource) -> list[ast.expr]:
    attributes = function.attributes
    return [
        *attributes.values.get(f"self.{attr}", ()),
        *(_default(value) for value in attributes.values.get(attr, ())),
    ]


def _default(value: ast.expr) -> ast.expr:
    """What `field(default_factory=list)` makes: a call of `list`."""
    for keyword in value.keywords if isinstance(value, ast.Call) else ():
        if keyword.arg == "default_factory":
            return ast.Call(keyword.value, [], [])
    return value


def _annotated(name: str, function: FunctionSource) -> str | None:
    a = function.node.args
    for gathered, kind in ((a.kwarg, "dict"), (a.vararg, "tuple")):
        if gathered is not None and gathered.arg == name:
            return kind
    for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs):
        if arg.arg == name:
            return _from_annotation(arg.annotation)
    return None


def _annotated_attribute(attr: str, function: FunctionSource) -> str | None:
    known = function.attributes.annotations
    return _from_annotation(known.get(f"self.{attr}") or known.get(attr))


def _from_annotation(node: ast.expr | None) -> str | None:
    match node:
        case ast.Subscript(value=value):
            return _from_annotation(value)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _BY_ANNOTATION.get(name)
        case ast.Constant(value=str() as text):
            return _BY_ANNOTATION.get(text.partition("[")[0])
        case ast.BinOp(left=left, op=ast.BitOr()):
            return _from_annotation(left)
        case _:
            return None
