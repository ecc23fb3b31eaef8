"""What a loop goes through, and what its turns give names to."""

from __future__ import annotations

import ast

from perfwright.profiling.diagnosis.source import (
    Comprehension,
    FunctionSource,
    Loop,
)
from perfwright.profiling.diagnosis.syntax import changes, method, names_in, paths

PASSES = frozenset(["sum", "min", "max", "any", "all", "set", "sorted", "Counter"])
"""Builtins that look at each element of what they are given."""
FEW = 16  # elements, in all of which one is found at once
LITERALS = (ast.Tuple, ast.List, ast.Set, ast.Constant)


def iterated(loop: Loop) -> ast.expr | None:
    """What a loop goes through; None of a `while` that counts through nothing."""
    match loop:
        case ast.For(iter=over) | ast.AsyncFor(iter=over):
            return over
        case ast.While():
            return _counted_through(loop)
        case _:
            return loop.generators[0].iter


def _counted_through(loop: ast.While) -> ast.expr | None:
    """`rows` of `while i < len(rows)`."""
    for node in ast.walk(loop.test):
        match node:
            case ast.Compare(
                left=ast.Name(),
                ops=[ast.Lt() | ast.LtE() | ast.NotEq()],
                comparators=[ast.expr() as end],
            ):
                for call in ast.walk(end):
                    if isinstance(call, ast.Call) and method(call) == "len" and call.args:
                        return call.args[0]
            case _:
                pass
    return None


def turns(loop: Loop) -> list[ast.AST]:
    """What a loop's turns execute, without what its `else` does once after them."""
    match loop:
        case ast.For(iter=head, body=body) | ast.AsyncFor(iter=head, body=body):
            return [head, *body]
        case ast.While(test=head, body=body):
            return [head, *body]
        case _:
            return [loop]


def loop_variables(loop: Loop) -> set[str]:
    """Names of its elements, or of what a `while` compares."""
    match loop:
        case ast.For(target=target) | ast.AsyncFor(target=target):
            return names_in(target)
        case ast.While(test=test):
            return names_in(*(n.left for n in ast.walk(test) if isinstance(n, ast.Compare)))
        case _:
            return names_in(*(generator.target for generator in loop.generators))


def element_names(loops: list[Loop]) -> set[str]:
    """Names of the elements of these loops and of all loops within them."""
    inner = (part for loop in loops for part in ast.walk(loop))
    return names_in(*(p.target for p in inner if isinstance(p, ast.For | ast.comprehension)))


def assigned_in(loop: Loop) -> set[str]:
    """Names that a loop, or anything inside it, gives a value to."""
    return {
        n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def collections_of(over: ast.expr) -> set[str]:
    """What is gone through: `rows` of `rows`, `rows[i:]`, `enumerate(rows)`, `range(len(rows))`."""
    match over:
        case ast.Call(func=ast.Name(id="range"), args=args):
            return {
                path
                for arg in args
                for call in ast.walk(arg)
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "len"
                for path in paths(call.args[0])
            }
        case ast.Call(
            func=ast.Name(id="enumerate" | "reversed" | "list" | "sorted" | "tuple" | "zip"),
            args=args,
        ):
            return {path for arg in args for path in collections_of(arg)}
        case ast.Call(func=ast.Attribute(value=value, attr="items" | "values" | "keys")):
            return collections_of(value)
        case ast.Subscript(value=value, slice=ast.Slice()):
            return collections_of(value)
        case ast.Name() | ast.Attribute():
            return paths(over)
        case _:
            return set()


def is_range(over: ast.expr) -> bool:
    """Whether it is a `range`, whose turns are numbers and no elements."""
    return isinstance(over, ast.Call) and getattr(over.func, "id", "") == "range"


def is_fixed(over: ast.expr, source: FunctionSource) -> bool:
    """Whether it is a constant table, which does not grow with the input."""
    return any(
        path.rpartition(".")[2].isupper()
        or any(map(_has_elements, source.module.globals.get(path, [])))
        for path in paths(over)
    )


def _has_elements(value: ast.expr) -> bool:
    """Whether a literal is written out: an empty one is filled, so grows, elsewhere."""
    return bool(getattr(value, "elts", None) or getattr(value, "keys", None))


def is_short(where: ast.expr, source: FunctionSource) -> bool:
    """Whether it is written out with a few elements, here or where its name gets its value."""
    if isinstance(where, ast.Tuple | ast.List | ast.Set):
        return len(where.elts) <= FEW
    path = ".".join(sorted(paths(where))) if isinstance(where, ast.Name | ast.Attribute) else ""
    name = path.rpartition(".")[2]
    values = [*source.module.globals.get(path, []), *source.attributes.values.get(name, [])]
    local = path in source.assigned or path in source.parameters
    return (
        bool(values)
        and not local
        and all(isinstance(v, ast.Tuple | ast.List) and 0 < len(v.elts) <= FEW for v in values)
    )


def has_fixed_turns(loop: Loop) -> bool:
    """Whether it goes through a literal, as `for side in ("left", "right")`, or `range(9)`."""
    over = iterated(loop)
    if isinstance(over, ast.Call) and is_range(over):
        return all(isinstance(arg, ast.Constant) for arg in over.args)
    return isinstance(over, LITERALS)


def has_few_turns(loop: Loop, source: FunctionSource) -> bool:
    """Whether the text says that it turns a few times only."""
    match iterated(loop):
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(turns))]):
            return turns <= FEW
        case ast.expr() as over:
            return is_short(over, source)
        case None:
            return False


def is_rehearsal(loop: ast.AST) -> bool:
    """Whether a loop only counts its turns, as `for _ in range(100)`: repeating is its purpose."""
    match loop:
        case ast.For(target=target, iter=over, body=body):
            return _counts(over) and not names_in(target) & names_in(*body)
        case (
            ast.ListComp(elt=made, generators=[first, *_])
            | ast.GeneratorExp(elt=made, generators=[first, *_])
        ):
            return _counts(first.iter) and not names_in(first.target) & names_in(made)
        case _:
            return False


def only_repeats(generator: ast.comprehension, loop: Comprehension) -> bool:
    """Whether a `for` of a comprehension repeats the rest a fixed number of times, on purpose."""
    named = changes(ast.walk(generator.target))
    read = {n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return (_counts(generator.iter) and not named & read) or isinstance(generator.iter, LITERALS)


def _counts(over: ast.expr) -> bool:
    return isinstance(over, ast.Call) and getattr(over.func, "id", "") in {"range", "repeat"}
