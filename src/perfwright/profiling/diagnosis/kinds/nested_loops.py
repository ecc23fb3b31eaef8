"""All of one collection is gone through for each element of another, or of itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, matters, readable
from perfwright.profiling.diagnosis.examples import example
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
    TAKERS,
    changes,
    dotted,
    flows,
    heads,
    method,
    names_in,
    paths,
    text,
)
from perfwright.profiling.diagnosis.traversal import (
    assigned_in,
    collections_of,
    has_few_turns,
    has_fixed_turns,
    is_fixed,
    is_range,
    is_rehearsal,
    iterated,
    loop_variables,
    only_repeats,
    turns,
)


def find(run: Run) -> Iterator[Claim]:
    """Yield loops over a collection within loops over another that has nothing to do with it."""
    for place, source in readable(run):
        for node in source.nodes:
            if isinstance(node, LOOPS):
                yield from _nested(place, source, inner=node)
            if isinstance(node, COMPREHENSIONS):
                yield from _product(place, source, loop=node)


def _nested(place: Place, source: FunctionSource, *, inner: Loop) -> Iterator[Claim]:
    over = iterated(inner)
    if over is None:
        return
    for outer in source.loops_around(inner):
        certainty = _certainty(outer, over, inner=inner, source=source)
        samples = place.passed_on(*turns(inner))
        if certainty and matters(place, samples, part=0.5):
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


def _certainty(outer: Loop, over: ast.expr, *, inner: Loop, source: FunctionSource) -> float:
    """How surely the inner loop visits a collection that has nothing to do with the outer turn."""
    if is_rehearsal(outer) or has_fixed_turns(outer) or has_few_turns(outer, source):
        return 0.0
    if isinstance(inner, ast.While) and not _begins_anew(inner, outer):
        return 0.0
    around = iterated(outer)
    if isinstance(outer, ast.While) and around is None:
        return _per_element_taken(outer, over)
    mine, theirs = collections_of(over), collections_of(around) if around else set[str]()
    if mine & theirs:
        return 0.85
    if not mine or is_range(over) or is_fixed(over, source):
        return 0.0
    of_outer, made = loop_variables(outer), assigned_in(outer)
    if heads(over) & (of_outer | made):
        return 0.0
    return 0.75 if _is_matched(inner, of_outer | (made - loop_variables(inner))) else 0.45


def _begins_anew(inner: ast.While, outer: Loop) -> bool:
    """Whether its counter is set again in each turn of the outer loop; else it only moves on."""
    inside = set(ast.walk(inner))
    return any(
        isinstance(node, ast.Assign)
        and node not in inside
        and loop_variables(inner) & changes(node.targets)
        for node in ast.walk(outer)
    )


def _per_element_taken(outer: ast.While, over: ast.expr) -> float:
    """`while left: ... for v in left.values(): ...; del left[name]`: all, to take out one."""
    mine = collections_of(over)
    asked = {path for path in paths(outer.test) if path != "len"}
    if any(_is_what_is_left(path, outer) for path in mine & asked):
        return 0.7
    taken = changes(
        node
        for node in ast.walk(outer)
        if isinstance(node, ast.Delete | ast.Subscript)
        or (isinstance(node, ast.Call) and method(node) in TAKERS)
    )
    if mine & taken:
        return 0.8 if mine & asked else 0.7
    rebound = assigned_in(outer)
    turns = bool(asked) and not isinstance(outer.test, ast.Constant)
    if not turns or not mine or {path.partition(".")[0] for path in mine} & rebound:
        return 0.0
    return 0.6 if asked & (taken | rebound) else 0.0


def _is_what_is_left(path: str, outer: ast.While) -> bool:
    """Whether each round only takes some out: `left = [one for one in left if not ready(one)]`."""
    values = [
        value
        for node in ast.walk(outer)
        for target, value in flows(node)
        if isinstance(node, ast.Assign) and dotted(target) == path
    ]
    return bool(values) and all(_is_part_of(value, path, outer=outer) for value in values)


def _is_part_of(value: ast.AST, path: str, *, outer: ast.While) -> bool:
    match value:
        case (
            ast.ListComp(elt=ast.Name(id=made), generators=[each])
            | ast.SetComp(elt=ast.Name(id=made), generators=[each])
        ):
            is_same = made in names_in(each.target) and dotted(each.iter) == path
            return is_same and bool(each.ifs)
        case ast.Name(id=rest):  # a list that a loop over it put some of its elements into
            return any(
                isinstance(loop, ast.For)
                and dotted(loop.iter) == path
                and any(_keeps(node, loop, rest=rest) for node in ast.walk(loop))
                for loop in ast.walk(outer)
            )
        case _:
            return False


def _keeps(node: ast.AST, loop: ast.For, *, rest: str) -> bool:
    """Whether the element itself is put into `rest`."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=kept), attr="append" | "add"),
            args=[ast.Name(id=element)],
        ):
            return kept == rest and element in names_in(loop.target)
        case _:
            return False


def _is_matched(inner: Loop, of_turn: set[str]) -> bool:
    """Whether the inner loop compares its own element with what belongs to the outer turn."""
    mine = loop_variables(inner)
    tests = [
        test
        for node in ast.walk(inner)
        if isinstance(node, ast.If | ast.comprehension)
        for test in ([node.test] if isinstance(node, ast.If) else node.ifs)
    ]
    return any(
        isinstance(test, ast.Compare | ast.Call)
        and heads(test) & mine
        and heads(test) & of_turn
        and not _calls_one_of(test, mine)
        for test in tests
    )


def _calls_one_of(test: ast.expr, elements: set[str]) -> bool:
    """Whether the elements are functions, of which there are a few: `if check(token)`."""
    calls = (node for node in ast.walk(test) if isinstance(node, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id in elements for call in calls)


def _product(place: Place, source: FunctionSource, *, loop: Comprehension) -> Iterator[Claim]:
    """A comprehension with several `for`, of which a later one does not depend on an earlier."""
    for i, inner in enumerate(loop.generators[1:], start=1):
        before = [g for g in loop.generators[:i] if not only_repeats(g, loop)]
        if not _is_independent(inner, before) or is_fixed(inner.iter, source):
            continue
        samples = place.passed_on(loop)
        if matters(place, samples, part=0.5):
            yield claim(
                place,
                BottleneckKind.QUADRATIC,
                samples=samples,
                confidence=_certainty_of_product(loop, inner, before=before),
                evidence=f"all of `{text(inner.iter)}` is gone through for each element before",
                nodes=[loop],
            )
            return


def _is_independent(inner: ast.comprehension, before: Sequence[ast.comprehension]) -> bool:
    bound = names_in(*(g.target for g in before))
    return bool(before and collections_of(inner.iter)) and not heads(inner.iter) & bound


def _certainty_of_product(
    loop: Comprehension, inner: ast.comprehension, *, before: Sequence[ast.comprehension]
) -> float:
    # All pairs as a result are worth their time; few of them, or a sum, could be had for less.
    tests = [test for g in loop.generators for test in g.ifs]
    if not isinstance(loop, ast.GeneratorExp) and all(map(_tells_pairs_apart, tests)):
        return 0.45
    mine = collections_of(inner.iter)
    return 0.85 if any(mine & collections_of(g.iter) for g in before) else 0.7


def _tells_pairs_apart(test: ast.expr) -> bool:
    """Whether it only leaves out an element with itself, or each pair's other order: `i < j`."""
    match test:
        case ast.Compare(left=ast.Name(), ops=[how], comparators=[ast.Name()]):
            return not isinstance(how, ast.Eq | ast.Is | ast.In | ast.NotIn)
        case _:
            return False


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
    id="nested-loops",
    kind=BottleneckKind.QUADRATIC,
    title="Index one side by its key",
    why="Twice the input takes four times as long.",
    limits="How long the collections are is not known, only that the time is lost there.",
    find=find,
    fires_on=example(_TEXT, ("if order.customer ==",)),
    silent_on=example(_TEXT, ("yield line.total",)),
)
