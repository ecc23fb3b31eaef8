"""Expressions that copy a collection which exists already."""

from __future__ import annotations

import ast

from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import callee

CONSTRUCTORS = {"list", "dict", "set", "tuple", "bytes", "bytearray", "frozenset", "copy.copy"}


def copies(node: ast.AST, source: FunctionSource) -> float:
    """How surely an expression copies a collection that exists already."""
    match node:
        case ast.Call(args=[ast.Name() | ast.Attribute() | ast.Subscript()], keywords=[]) if (
            callee(node, of=source) in CONSTRUCTORS
        ):
            filled = callee(node, of=source) in {"bytes", "bytearray"}
            # `bytearray(size)` copies nothing
            return 0.45 if filled and not type_of(node.args[0], of=source) else 0.75
        case ast.Call(func=ast.Attribute(attr="copy"), args=[]):
            return 0.8
        case ast.Subscript(slice=ast.Slice(step=None) as part, ctx=ast.Load(), value=value):
            return 0.0 if _is_short(part) or type_of(value, of=source) == "str" else 0.7
        case ast.Dict(keys=keys) if None in keys:
            return 0.75
        case ast.List(elts=parts) | ast.Set(elts=parts) | ast.Tuple(elts=parts):
            return 0.75 if any(isinstance(part, ast.Starred) for part in parts) else 0.0
        case ast.BinOp(op=ast.Add() | ast.BitOr() as op, left=left, right=right):
            kinds = {type_of(left, of=source), type_of(right, of=source)}
            if isinstance(op, ast.Add):
                return 0.75 if kinds & {"list", "tuple"} else 0.0
            return 0.7 if kinds & {"set", "dict"} else 0.0
        case ast.Call(func=ast.Attribute(attr="union" | "tobytes")):
            return 0.6
        case _:
            return 0.0


def _is_short(part: ast.Slice) -> bool:
    """Whether it takes a few elements however many there are: `[:9]`, `[2:4]`, `[-9:]`."""
    match part:
        case ast.Slice(lower=None | ast.Constant(), upper=ast.Constant()):
            return True
        case ast.Slice(lower=ast.UnaryOp(op=ast.USub()), upper=None):
            return True
        case _:
            return False
