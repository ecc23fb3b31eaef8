"""The same result is computed again: in a loop, at each call, or on each branch of a recursion."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import (
    claim,
    is_asked_again,
    is_called_often,
    is_rehearsal,
    matters,
    readable,
    same_object,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.purity import (
    is_cached,
    is_pure,
    own_below,
    own_callees,
    reads_constant_state,
)
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import simple
from perfwright.profiling.diagnosis.source import COMPREHENSIONS, FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    IMPURE,
    MUTATORS,
    callee,
    changes,
    derived_from_input,
    dotted,
    is_invariant,
    method,
    paths,
    text,
)
from perfwright.profiling.model import Function

QUICK = {
    "abs", "bool", "bytearray", "chr", "ord", "round", "hash",
    "collections.defaultdict", "collections.deque", "dict", "enumerate",
    "float", "getattr", "hasattr", "id", "int", "io.BytesIO", "io.StringIO", "isinstance", "iter",
    "len", "list", "object", "open", "print", "range", "set", "str", "super", "threading.Lock",
    "threading.RLock", "type", "zip",
}  # fmt: skip


VIEWS = {"items", "keys", "values"}


def find(run: Run) -> Iterator[Claim]:
    """Yield calls that a loop repeats unchanged, and functions that forget what they found out."""
    for place, source in readable(run):
        yield from _unchanged_in_loop(place, source)
        yield from _twice_in_a_row(place, source)
        if not is_cached(source):
            yield from _independent_of_input(place, source)


def _unchanged_in_loop(place: Place, source: FunctionSource) -> Iterator[Claim]:
    for node in source.nodes:
        name = _asked(node, source)
        loops = source.loops_around(node) if name else []
        if not any(is_invariant(node, loop) and not is_rehearsal(loop) for loop in loops):
            continue
        if _is_changed_later(node, source):
            continue
        samples = place.into(node, name)
        certainty = 0.85
        if samples:
            below = frozenset(own_below(place, node))
            if not all(is_pure(place.run, other) for other in below):
                continue
        else:
            samples, certainty = place.charged_on(node), 0.6
            if not isinstance(node, ast.Call) or _calls_on_line(source, node) > 2:
                continue
            if _is_cheap(place, samples, name=name):
                continue
        if matters(place, samples):
            yield claim(
                place,
                BottleneckKind.REPEATED_WORK,
                samples=samples,
                confidence=certainty,
                evidence=f"`{text(node)}` gives the same in each turn of the loop",
                nodes=[node],
            )


def _is_changed_later(node: ast.AST, source: FunctionSource) -> bool:
    """Whether the result gets a name and is then changed, so that a fresh one is needed."""
    parent = source.module.parents.get(node)
    if not isinstance(parent, ast.Assign) or not isinstance(parent.targets[0], ast.Name):
        return False
    name = parent.targets[0].id
    in_place = (n for n in source.nodes if not isinstance(n, ast.Name))
    return any(path.partition(".")[0] == name for path in changes(in_place))


def _asked(node: ast.AST, source: FunctionSource) -> str:
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


def _calls_on_line(source: FunctionSource, node: ast.AST) -> int:
    line = getattr(node, "lineno", 0)
    return sum(isinstance(n, ast.Call) and n.lineno == line for n in source.nodes)


def _twice_in_a_row(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """Equal calls of a pure own function written twice in one statement or its branch."""
    for statement in source.nodes:
        if not isinstance(statement, ast.If | ast.Assign | ast.Return | ast.For | ast.IfExp):
            continue
        written: dict[str, list[ast.Call]] = defaultdict(list)
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and node.args and method(node) not in IMPURE | MUTATORS:
                written[ast.unparse(node)].append(node)
        for nodes in written.values():
            if len(nodes) < 2 or isinstance(statement, ast.For):
                continue
            samples = frozenset[int]().union(*(place.into(n, method(n)) for n in nodes[1:]))
            others = own_callees(place, nodes[0], name=method(nodes[0]))
            if matters(place, samples) and others and all(is_pure(place.run, o) for o in others):
                yield claim(
                    place,
                    BottleneckKind.REPEATED_WORK,
                    samples=samples,
                    confidence=0.65,
                    evidence=f"`{text(nodes[0])}` is written {len(nodes)} times",
                    nodes=nodes,
                )


def _independent_of_input(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """Work in a function called often that neither its arguments nor its own state change."""
    if not is_called_often(place) or not is_pure(place.run, place):
        return
    tainted = derived_from_input(source)
    nodes = [
        node
        for node in source.nodes
        if isinstance(node, (ast.Call, ast.For, *COMPREHENSIONS))
        and (_is_free(node, tainted) or _reads_a_free_file(node, source, tainted=tainted))
        if not any(isinstance(loop, ast.While) for loop in source.loops_around(node))
    ]
    nodes = [n for n in nodes if not isinstance(n, ast.Call) or _is_heard(place, source, call=n)]
    samples = frozenset[int]().union(*(_of_node(place, source, node=node) for node in nodes))
    if not nodes or not matters(place, samples, part=0.5):
        return
    if place.run.seconds(samples) < 0.5 * place.cumulative_s:
        return
    used = {path for node in nodes for path in paths(node)}
    constant = reads_constant_state(source)
    own_state = any(path.startswith("self") for path in used)
    same = is_asked_again(place, source) or same_object(place, source)
    if own_state and same is False:
        same = _holds_the_same(place, source, used=used)
        if not same:
            return
    yield claim(
        place,
        BottleneckKind.REPEATED_WORK,
        samples=samples,
        confidence=0.75 if not own_state else 0.65 if same and constant else 0.45,
        evidence=f"`{text(nodes[0])}` does not depend on the arguments, yet runs at each of "
        f"{place.calls or 'many'} calls",
        nodes=nodes[:3],
    )


def _holds_the_same(place: Place, source: FunctionSource, *, used: set[str]) -> bool:
    """Whether its many objects were made with the same of what is read of them here."""
    read = {path.split(".")[1] for path in used if path.startswith("self.")}
    for other in source.module.functions:
        if other.owner is source.owner and other.node.name == "__init__":
            function = Function(other.module.file, other.first_line, other.name)
            given = [
                node.value.id
                for node in other.nodes
                if isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Name)
                and dotted(node.targets[0]).removeprefix("self.") in read
            ]
            return bool(given) and place.run.equal(function, *given)
    return False


def _reads_a_free_file(node: ast.AST, source: FunctionSource, *, tainted: set[str]) -> bool:
    """Whether a loop goes through the lines of a file that is the same at each call."""
    over = node.iter if isinstance(node, ast.For) else None
    return isinstance(over, ast.Name) and any(
        isinstance(item, ast.withitem)
        and getattr(item.optional_vars, "id", "") == over.id
        and _is_free(item.context_expr, tainted)
        for item in source.nodes
    )


def _of_node(place: Place, source: FunctionSource, *, node: ast.AST) -> frozenset[int]:
    """Samples of an expression, without those of other own functions called on its lines."""
    if not isinstance(node, ast.Call):
        return place.passed_on(node)
    return place.into(node, method(node)) or place.charged_on(node)


def _is_heard(place: Place, source: FunctionSource, *, call: ast.Call) -> bool:
    """Whether the call is asked for a result, and the time of its line is likely its own."""
    name = _asked(call, source)
    if not name or _is_cheap(place, place.charged_on(call), name=name):
        return False
    return bool(place.into(call, name)) or _calls_on_line(source, call) <= 2


def _is_cheap(place: Place, samples: frozenset[int], *, name: str) -> bool:
    """Whether what is called took little, as counted, or something else on its line took most."""
    if place.run.is_quick(place.function, name):
        return True
    below = [n for n in samples if place.run.samples[n].foreign]
    others = [n for n in below if simple(place.run.samples[n].foreign[0].function) != name]
    return place.run.seconds(others) > 0.6 * place.run.seconds(samples) > 0


def _is_free(node: ast.AST, tainted: set[str]) -> bool:
    return not {path.partition(".")[0] for path in paths(node)} & tainted


_TEXT = """
    def rates(country):
        return {zone: zone * len(country) for zone in range(1000)}
    def quotes(parcels, country):
        for parcel in parcels:
            table = rates(country)
            yield table[parcel.zone]
    def fees(parcels):
        for parcel in parcels:
            table = rates(parcel.country)
            yield table[parcel.zone]
"""
RULE = KindRule(
    id="repeated-work",
    kind=BottleneckKind.REPEATED_WORK,
    title="Compute it once and keep it",
    why="Nothing that the result depends on has changed since the last time.",
    limits="Changes through other names for the same object are not seen.",
    find=find,
    fires_on=example(_TEXT, ("= rates(country)", "return {zone")),
    silent_on=example(_TEXT, ("= rates(parcel.country)", "return {zone")),
)
