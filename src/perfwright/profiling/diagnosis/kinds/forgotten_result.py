"""A function called often works out what neither its arguments nor its own state change."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.asking import asked_name, calls_on_line, is_cheap
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import (
    claim,
    is_asked_again,
    is_called_often,
    matters,
    readable,
    same_object,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.purity import (
    is_cached,
    is_pure,
    reads_constant_state,
)
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import COMPREHENSIONS, FunctionSource
from perfwright.profiling.diagnosis.syntax import (
    derived_from,
    derived_from_input,
    dotted,
    heads,
    method,
    paths,
    text,
)
from perfwright.profiling.model import Function


def find(run: Run) -> Iterator[Claim]:
    """Yield functions that forget what they found out at the last call."""
    for place, source in readable(run):
        if not is_cached(source) and is_called_often(place) and is_pure(run, place):
            yield from _independent_of_input(place, source)


def _independent_of_input(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """What does not depend on the arguments, where it takes most of the function's time."""
    nodes = _independent_nodes(place, source)
    samples = frozenset[int]().union(*(_of_node(place, node) for node in nodes))
    most = place.run.seconds(samples) >= 0.5 * place.cumulative_s
    certainty = _certainty(place, source, used={path for node in nodes for path in paths(node)})
    if nodes and most and certainty and matters(place, samples, part=0.5):
        yield claim(
            place,
            BottleneckKind.REPEATED_WORK,
            samples=samples,
            confidence=certainty,
            evidence=f"`{text(nodes[0])}` does not depend on the arguments, yet runs at each of "
            f"{place.calls or 'many'} calls",
            nodes=nodes[:3],
        )


def _independent_nodes(place: Place, source: FunctionSource) -> list[ast.AST]:
    tainted = derived_from_input(source)
    return [
        node
        for node in source.nodes
        if isinstance(node, (ast.Call, ast.For, *COMPREHENSIONS))
        and (_is_free(node, tainted) or _reads_a_free_file(node, source, tainted=tainted))
        and not any(isinstance(loop, ast.While) for loop in source.loops_around(node))
        and (not isinstance(node, ast.Call) or _is_heard(place, source, call=node))
    ]


def _certainty(place: Place, source: FunctionSource, *, used: set[str]) -> float:
    """How surely what is used stays the same: what the object keeps, if its calls are of one."""
    of_object = derived_from({"self"}, function=source)
    if not any(path.partition(".")[0] in of_object for path in used):
        return 0.75
    same = is_asked_again(place, source) or same_object(place, source)
    if same is False:
        same = _holds_the_same(place, source, used=used)
        if not same:
            return 0.0
    return 0.65 if same and reads_constant_state(source) else 0.45


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


def _of_node(place: Place, node: ast.AST) -> frozenset[int]:
    """Samples of an expression, without those of other own functions called on its lines."""
    if not isinstance(node, ast.Call):
        return place.passed_on(node)
    return place.into(node, method(node)) or place.charged_on(node)


def _is_heard(place: Place, source: FunctionSource, *, call: ast.Call) -> bool:
    """Whether the call is asked for a result, and the time of its line is likely its own."""
    name = asked_name(call, source)
    if not name or is_cheap(place, place.charged_on(call), name=name):
        return False
    return bool(place.into(call, name)) or calls_on_line(source, call) <= 2


def _is_free(node: ast.AST, tainted: set[str]) -> bool:
    return not heads(node) & tainted


_TEXT = """
    PATH = "zones.txt"
    def zone(code):
        table = {row.code: row.zone for row in load(PATH)}
        return table[code]
    def weight(parcel):
        return sum(item.weight for item in parcel)
    def quotes(parcels):
        for parcel in parcels:
            show(zone(parcel.code))
            show(weight(parcel))
"""
RULE = KindRule(
    id="forgotten-result",
    kind=BottleneckKind.REPEATED_WORK,
    title="Work it out before the first call, or keep it",
    why="Each call comes to the result that the last one came to.",
    limits="What other modules change behind a name is not seen.",
    find=find,
    fires_on=example(_TEXT, ("show(zone", "table = {row")),
    silent_on=example(_TEXT, ("show(weight", "return sum")),
)
