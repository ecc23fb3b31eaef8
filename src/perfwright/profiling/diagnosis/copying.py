"""Expressions that copy a collection which exists already."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import callee

CONSTRUCTORS = {"list", "dict", "set", "tuple", "bytes", "bytearray", "frozenset", "copy.copy"}

EXISTING = ast.Name | ast.Attribute | ast.Subscript
FROZEN = {"tuple", "bytes", "frozenset", "str"}


def copies(node: ast.AST, source: FunctionSource) -> float:
    """How surely an expression copies a collection that exists already."""
    match node:
        case ast.Call(args=[ast.Name() | ast.Attribute() | ast.Subscript()], keywords=[]) if (
            callee(node, of=source) in CONSTRUCTORS
        ):
            name = callee(node, of=source)
            return _constructed(name, type_of(node.args[0], of=source))
        case ast.Call(func=ast.Attribute(attr="copy"), args=[]):
            return 0.8
        case ast.Subscript(slice=ast.Slice(step=None) as part, ctx=ast.Load(), value=value):
            return 0.0 if _is_short(part) or type_of(value, of=source) == "str" else _sliced(part)
        case ast.Dict(keys=keys) if None in keys:
            return 0.75
        case ast.List(elts=parts) | ast.Set(elts=parts) | ast.Tuple(elts=parts):
            return 0.75 if any(map(_is_unpacked, parts)) else 0.0
        case ast.BinOp(op=ast.Add() | ast.BitOr() as op, left=left, right=right):
            kinds = {type_of(left, of=source), type_of(right, of=source)}
            if not any(isinstance(part, EXISTING) for part in _operands(node)):
                return 0.0  # both were made just now
            if isinstance(op, ast.Add):
                return 0.75 if kinds & {"list", "tuple"} else 0.0
            return 0.7 if kinds & {"set", "dict"} else 0.0
        case ast.Call(func=ast.Attribute(attr="union" | "tobytes")):
            return 0.6
        case _:
            return 0.0


def _operands(node: ast.expr) -> Iterator[ast.expr]:
    """`a`, `b` and `c` of `a + b + c`."""
    if isinstance(node, ast.BinOp):
        yield from _operands(node.left)
        yield from _operands(node.right)
    else:
        yield node


def _constructed(name: str, given: str | None) -> float:
    if name in FROZEN and name == given:
        return 0.0  # it is given back as it is
    # `bytearray(size)` copies nothing, and `copy.copy(line)` an object that is no collection
    return 0.45 if name in {"bytes", "bytearray", "copy.copy"} and given is None else 0.75


def _sliced(part: ast.Slice) -> float:
    """A slice with two ends may be a small piece, as a word of a text is."""
    is_piece = part.lower is not None and part.upper is not None
    return 0.45 if is_piece else 0.7


def _is_unpacked(part: ast.expr) -> bool:
    """Whether it is a `*rows`, and not what a `*map(...)` makes just then."""
    return isinstance(part, ast.Starred) and isinstance(part.value, EXISTING)


def _is_short(part: ast.Slice) -> bool:
    """Whether it takes a few elements however many there are: `[:9]`, `[2:4]`, `[-9:]`."""
    match part:
        case ast.Slice(lower=None | ast.Constant(), upper=ast.Constant()):
            return True
        case ast.Slice(lower=ast.UnaryOp(op=ast.USub()), upper=None):
            return True
        case _:
            return False
