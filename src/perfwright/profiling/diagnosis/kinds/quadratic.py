"""Work that grows with the square of its input."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import (
    claim,
    is_called_often,
    is_rehearsal,
    is_repeated,
    matters,
    readable,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.likely_types import type_of
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import (
    COMPREHENSIONS,
    LOOPS,
    Comprehension,
    FunctionSource,
    Loop,
)
from perfwright.profiling.diagnosis.syntax import (
    changes,
    method,
    paths,
    text,
    touches,
    turn_nodes,
)

TAKERS = {"pop", "popitem", "remove", "discard", "popleft"}
PASSES = {"sum", "min", "max", "any", "all", "set", "sorted", "statistics.mean", "Counter"}


def find(run: Run) -> Iterator[Claim]:
    """Yield loops over a collection within loops over another, and shifting of whole lists."""
    for place, source in readable(run):
        for node in source.nodes:
            if isinstance(node, LOOPS):
                yield from _nested(place, source, inner=node)
                if isinstance(node, COMPREHENSIONS):
                    yield from _product(place, source, loop=node)
                if isinstance(node, ast.While):
                    yield from _rescanning(place, source, loop=node)
            else:
                yield from _shifting(place, source, node=node)
                yield from _passing(place, source, node=node)


def _nested(place: Place, source: FunctionSource, *, inner: Loop) -> Iterator[Claim]:
    outers = source.loops_around(inner)
    over = _iterated(inner)
    if over is None or not outers:
        return
    for outer in outers:
        certainty = _is_cross_product(outer, over, inner=inner, source=source)
        if not certainty:
            continue
        samples = place.passed_on(inner)
        if matters(place, samples, part=0.5):
            yield claim(
                place,
                BottleneckKind.QUADRATIC,
                samples=samples,
                confidence=certainty,
                evidence=f"all of `{text(over)}` is gone through in each turn of the loop of line "
                f"{outer.lineno}",
                nodes=[inner],
            )
            return


def _product(place: Place, source: FunctionSource, *, loop: Comprehension) -> Iterator[Claim]:
    """A comprehension with several `for`, of which a later one does not depend on an earlier."""
    for i, generator in enumerate(loop.generators[1:], start=1):
        before = [g for g in loop.generators[:i] if not _only_counts(g, loop)]
        if not before:
            continue
        bound = {n.id for g in before for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        mine = _collections(generator.iter)
        if not mine or {path.partition(".")[0] for path in paths(generator.iter)} & bound:
            continue
        again = any(mine & _collections(g.iter) for g in before)
        # All pairs as a result are worth their time; few of them, or a sum, could be had for less.
        matched = any(g.ifs for g in loop.generators) or isinstance(loop, ast.GeneratorExp)
        samples = place.passed_on(loop)
        if not _is_fixed(generator.iter, source) and matters(place, samples, part=0.5):
            yield claim(
                place,
                BottleneckKind.QUADRATIC,
                samples=samples,
                confidence=(0.85 if again else 0.7) if matched else 0.45,
                evidence=f"all of `{text(generator.iter)}` is gone through for each element before",
                nodes=[loop],
            )
            return


def _only_counts(generator: ast.comprehension, loop: Comprehension) -> bool:
    """Whether it repeats the rest, as `for _ in range(9)`: on purpose, a fixed number of times."""
    over, names = generator.iter, changes(ast.walk(generator.target))
    counts = isinstance(over, ast.Call) and getattr(over.func, "id", "") in {"range", "repeat"}
    read = {n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return (counts and not names & read) or isinstance(over, ast.Tuple | ast.List | ast.Constant)


def _iterated(loop: Loop) -> ast.expr | None:
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


def _begins_anew(inner: ast.While, outer: Loop) -> bool:
    """Whether its counter is set again in each turn of the outer loop; else it only moves on."""
    inside = set(ast.walk(inner))
    return any(
        isinstance(node, ast.Assign) and node not in inside and _targets(inner) & changes([target])
        for node in ast.walk(outer)
        for target in getattr(node, "targets", ())
    )


def _is_cross_product(outer: Loop, over: ast.expr, *, inner: Loop, source: FunctionSource) -> float:
    """How surely the inner loop visits a collection that has nothing to do with the outer turn."""
    if is_rehearsal(outer) or _has_fixed_turns(outer):
        return 0.0
    if isinstance(inner, ast.While) and not _begins_anew(inner, outer):
        return 0.0
    if isinstance(outer, ast.While) and _iterated(outer) is None:
        return _per_element_taken(outer, over)
    targets, around = _targets(outer), _iterated(outer)
    mine, theirs = _collections(over), _collections(around) if around else set[str]()
    if mine & theirs:
        return 0.85
    if not mine or _is_range(over) or _is_fixed(over, source):
        return 0.0
    used = {path.partition(".")[0] for path in paths(over)}
    if used & (targets | _assigned(outer)):
        return 0.0
    of_turn = targets | (_assigned(outer) - _targets(inner))
    return 0.75 if _is_matched(inner, of_turn) else 0.45


def _has_fixed_turns(outer: Loop) -> bool:
    """Whether it goes through a literal, as `for side in ("left", "right")`."""
    over = _iterated(outer)
    if isinstance(over, ast.Call) and getattr(over.func, "id", "") == "range":
        return all(isinstance(arg, ast.Constant) for arg in over.args)
    return isinstance(over, ast.Tuple | ast.List | ast.Set | ast.Constant)


def _per_element_taken(outer: ast.While, over: ast.expr) -> float:
    """`while left: ... for v in left.values(): ...; del left[name]`: all, to take out one."""
    mine = _collections(over)
    taken = changes(
        node
        for node in ast.walk(outer)
        if isinstance(node, ast.Delete | ast.Subscript)
        or (isinstance(node, ast.Call) and method(node) in TAKERS)
    )
    asked = {path for path in paths(outer.test) if path != "len"}
    if mine & taken:
        return 0.8 if mine & asked else 0.7
    rebound = _assigned(outer)
    turns = bool(asked) and not isinstance(outer.test, ast.Constant)
    if not turns or not mine or {p.partition(".")[0] for p in mine} & rebound:
        return 0.0
    return 0.6 if asked & (taken | rebound) else 0.0


def _is_fixed(over: ast.expr, source: FunctionSource) -> bool:
    """Whether it is a constant table, which does not grow with the input."""
    return any(
        path.rpartition(".")[2].isupper()
        or any(map(_has_elements, source.module.globals.get(path, [])))
        for path in paths(over)
    )


def _has_elements(value: ast.expr) -> bool:
    """Whether a literal is written out: an empty one is filled, so grows, elsewhere."""
    return bool(getattr(value, "elts", None) or getattr(value, "keys", None))


def _is_matched(inner: Loop, targets: set[str]) -> bool:
    """Whether the inner loop compares its own element with that of the outer one."""
    mine = _targets(inner)
    return any(
        isinstance(node, ast.Compare | ast.Call)
        and {p.partition(".")[0] for p in paths(node)} & mine
        and {p.partition(".")[0] for p in paths(node)} & targets
        for test in ast.walk(inner)
        if isinstance(test, ast.If | ast.comprehension)
        for node in ([test.test] if isinstance(test, ast.If) else test.ifs)
    )


def _targets(loop: Loop) -> set[str]:
    parts: list[ast.expr] = [loop.target] if isinstance(loop, ast.For | ast.AsyncFor) else []
    if isinstance(loop, ast.While):
        parts = [n.left for n in ast.walk(loop.test) if isinstance(n, ast.Compare)]
    if isinstance(loop, COMPREHENSIONS):
        parts = [generator.target for generator in loop.generators]
    return {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)}


def _assigned(loop: Loop) -> set[str]:
    return {
        n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _collections(node: ast.expr) -> set[str]:
    """What is gone through: `rows` of `rows`, `rows[i:]`, `enumerate(rows)`, `range(len(rows))`."""
    match node:
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
            return {path for arg in args for path in _collections(arg)}
        case ast.Call(func=ast.Attribute(value=value, attr="items" | "values" | "keys")):
            return _collections(value)
        case ast.Subscript(value=value, slice=ast.Slice()):
            return _collections(value)
        case ast.Name() | ast.Attribute():
            return paths(node)
        case _:
            return set()


def _is_range(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "range"


def _shifting(place: Place, source: FunctionSource, *, node: ast.AST) -> Iterator[Claim]:
    """Taking from or putting at the front of a list, which moves all the others."""
    moved = _moved(node)
    if moved is None or not is_repeated(place, node):
        return
    kind = type_of(moved, of=source)
    if kind in {"deque", "dict", "set"}:
        return
    samples = place.landed_on(node)
    if matters(place, samples):
        yield claim(
            place,
            BottleneckKind.QUADRATIC,
            samples=samples,
            confidence=0.85 if kind in {"list", "str", "bytes"} else 0.75,
            evidence=f"`{text(node)}` moves or copies all that is left of `{text(moved)}`",
            nodes=[node],
        )


def _moved(node: ast.AST) -> ast.expr | None:
    match node:
        case (
            ast.Call(func=ast.Attribute(value=value, attr="pop"), args=[ast.Constant(value=0)])
            | ast.Call(
                func=ast.Attribute(value=value, attr="insert"), args=[ast.Constant(value=0), _]
            )
            | ast.Delete(
                targets=[
                    ast.Subscript(
                        value=value, slice=ast.Constant(value=0) | ast.Slice(lower=None, step=None)
                    )
                ]
            )
        ):
            return value
        case ast.Assign(
            targets=[target],
            value=ast.Subscript(value=value, slice=ast.Slice(lower=ast.expr(), upper=None)),
        ) if ast.unparse(target) == ast.unparse(value):
            return value
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
            return _cut(targets, value)
        case ast.Assign(
            targets=[target], value=ast.BinOp(left=left, op=ast.Add(), right=ast.List())
        ) if ast.unparse(target) == ast.unparse(left):
            return left
        case ast.Assign(
            targets=[target], value=ast.BinOp(left=ast.List(), op=ast.Add(), right=right)
        ) if ast.unparse(target) == ast.unparse(right):
            return right
        case _:
            return None


def _cut(targets: list[ast.expr], value: ast.expr) -> ast.expr | None:
    """`rest` of `line, _, rest = rest.partition(",")` and of `head, rest = rest[:n], rest[n:]`."""
    names = [ast.unparse(target) for target in targets]
    match value:
        case ast.Call(func=ast.Attribute(value=base, attr="partition")):
            return base if ast.unparse(base) == names[-1] else None
        case ast.Call(func=ast.Attribute(value=base, attr="split"), args=[_, ast.Constant()]):
            return base if ast.unparse(base) == names[-1] else None
        case ast.Tuple(elts=parts):
            for name, part in zip(names, parts, strict=False):
                if isinstance(part, ast.Subscript) and _sliced(part):
                    cut = part.slice.upper is None if isinstance(part.slice, ast.Slice) else False
                    if cut and ast.unparse(part.value) == name:
                        return part.value
            return None
        case _:
            return None


def _passing(place: Place, source: FunctionSource, *, node: ast.AST) -> Iterator[Claim]:
    """A builtin goes through a collection that grows or shrinks with the turns of a loop."""
    whole = _passed_whole(node)
    if whole is None:
        return
    loops = source.loops_around(node)
    local = set[str]()
    if loops:
        changed = changes(turn_nodes(loops[0])) | _targets(loops[0])
        local = _assigned(loops[0])
    elif is_called_often(place):
        changed = {path for path in changes(source.nodes) if path.startswith("self.")}
    else:
        return
    base = whole.value if isinstance(whole, ast.Subscript) else whole
    if _sliced(whole):
        grows = any(touches(path, changed) for path in paths(whole) - paths(base))
    else:
        grows = any(touches(p, changed) and not touches(p, local) for p in paths(base))
    samples = place.landed_on(node)
    if grows and matters(place, samples):
        yield claim(
            place,
            BottleneckKind.QUADRATIC,
            samples=samples,
            confidence=0.75,
            evidence=f"`{text(node)}` goes through all of it in each turn of a loop",
            nodes=[node],
        )


def _passed_whole(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[ast.Name() | ast.Attribute() as what]) if (
            name in PASSES
        ):
            return what
        case ast.Call(func=ast.Name(id=name), args=[ast.Subscript(slice=ast.Slice()) as what]) if (
            name in PASSES | {"len", "list"}
        ):
            return what
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[what]):
            return what
        case _:
            return None


def _sliced(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)


def _rescanning(place: Place, source: FunctionSource, *, loop: ast.While) -> Iterator[Claim]:
    """Several searches from where the loop stands: what lies far away is found again each turn."""
    searches: dict[str, list[ast.Call]] = {}
    for node in ast.walk(loop):
        is_search = isinstance(node, ast.Call) and method(node) in {"search", "find", "index"}
        if isinstance(node, ast.Call) and is_search and len(node.args) >= 2:
            searches.setdefault(ast.unparse(node.args[-1]), []).append(node)
    for where, nodes in searches.items():
        samples = place.landed_on(*nodes)
        if len(nodes) >= 2 and matters(place, samples):
            yield claim(
                place,
                BottleneckKind.QUADRATIC,
                samples=samples,
                confidence=0.65,
                evidence=f"{len(nodes)} searches begin at `{where}` in each turn, and only the "
                "nearest find is used",
                nodes=nodes,
            )


_TEXT = """
    def pairs(orders, customers):
        for order in orders:
            for customer in customers:
                if order.customer == customer.id:
                    yield order, customer
    def lines(orders):
        for order in orders:
            for line in order.lines:
                yield line.total
"""
RULE = KindRule(
    id="quadratic",
    kind=BottleneckKind.QUADRATIC,
    title="Index one side by its key, or take from the other end",
    why="Twice the input takes four times as long.",
    limits="How long the collections are is not known, only that the time is lost there.",
    find=find,
    fires_on=example(_TEXT, ("if order.customer ==",)),
    silent_on=example(_TEXT, ("yield line.total",)),
)
