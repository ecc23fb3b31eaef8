"""Texts that a module builds from constants when it is imported."""

from __future__ import annotations

import ast

from perfwright.profiling.diagnosis.source import FunctionSource

MAX_DEPTH = 8
UNKNOWN = "~"  # stands for parts that are not constant
Value = str | bytes | tuple[object, ...] | dict[str, object]


def constant(node: ast.expr, source: FunctionSource, *, depth: int = 0) -> Value | None:
    """The value of an expression of constants: sums, `%`, `format`, `join`, slices, names."""
    if depth > MAX_DEPTH:
        return None

    def value(part: ast.expr) -> Value | None:
        return constant(part, source, depth=depth + 1)

    match node:
        case ast.Constant(value=str() | bytes() as text):
            return text
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            values = [value(part) for part in parts]
            return tuple(UNKNOWN if v is None else v for v in values)
        case ast.Dict(keys=keys, values=parts):
            names = [k.value if isinstance(k, ast.Constant) else None for k in keys]
            return {str(k): value(v) or UNKNOWN for k, v in zip(names, parts, strict=True)}
        case ast.JoinedStr(values=parts):
            texts = [value(p.value if isinstance(p, ast.FormattedValue) else p) for p in parts]
            return "".join(UNKNOWN if t is None else str(t) for t in texts)
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod() as op, right=right):
            return _combined(value(left), op, right=value(right))
        case ast.Subscript(value=inner, slice=ast.Slice(lower=low, upper=high, step=None)):
            whole = value(inner)
            return whole[_number(low) : _number(high)] if isinstance(whole, str) else None
        case ast.Call(func=ast.Attribute(value=inner, attr=attr), args=args, keywords=keywords):
            named = {k.arg: value(k.value) for k in keywords if k.arg}
            return _called(value(inner), attr, args=[value(a) for a in args], named=named)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            assigned = source.module.globals.get(name, [])
            return value(assigned[-1]) if assigned else None
        case _:
            return None


def _combined(left: Value | None, op: ast.operator, *, right: Value | None) -> Value | None:
    if not isinstance(left, str) or right is None:
        return None
    try:
        return left % right if isinstance(op, ast.Mod) else left + right  # type: ignore[operator]
    except (TypeError, ValueError, KeyError):
        return None


def _called(
    owner: Value | None, name: str, *, args: list[Value | None], named: dict[str, Value | None]
) -> Value | None:
    if not isinstance(owner, str) or None in args or None in named.values():
        return None
    try:
        if name == "join" and isinstance(args[0], tuple):
            return owner.join(map(str, args[0]))
        return owner.format(*args, **named) if name == "format" else None
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return None


def _number(node: ast.expr | None) -> int | None:
    match node:
        case ast.Constant(value=int() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
            return -number
        case _:
            return None
