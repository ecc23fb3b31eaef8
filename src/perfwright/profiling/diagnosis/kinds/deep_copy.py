"""Whole object trees are copied where a part, a shallow copy or none would do."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, is_called_often, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import simple
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import callee, heads, method, text
from perfwright.profiling.diagnosis.traversal import element_names
from perfwright.profiling.model import Function

ROUND_TRIPS = {
    "pickle.loads": "pickle.dumps",
    "json.loads": "json.dumps",
    "marshal.loads": "marshal.dumps",
}
CONTAINERS = {"list", "dict", "set", "tuple", "frozenset"}
COPYING = {
    *CONTAINERS, "__new__", "add", "append", "copy", "deepcopy", "enumerate", "fields", "get",
    "getattr", "hasattr", "id", "isinstance", "issubclass", "items", "iter", "keys", "len", "range",
    "replace", "setattr", "type", "update", "values", "vars", "zip",
}  # fmt: skip
"""All that a copy written by hand calls, besides itself and classes."""


def find(run: Run) -> Iterator[Claim]:
    """Yield the functions that call `copy.deepcopy`, or copy by dumping and loading."""
    for function, samples in _below_deepcopy(run).items():
        place = run.ensure(function)
        if matters(place, samples, part=0.2):
            yield claim(
                place,
                BottleneckKind.DEEPCOPY,
                samples=frozenset(samples),
                confidence=0.9 if is_called_often(place) else 0.8,
                evidence="copy.deepcopy walks and copies every object below its argument",
            )
    for place, source in readable(run):
        yield from _by_hand(place, source)
        yield from _by_levels(place, source)
        yield from _round_trips(place, source)


def _by_hand(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """A function that builds each container anew from itself applied to what is in it."""
    again = [
        n
        for n in source.nodes
        if isinstance(n, ast.Call) and method(n) == source.node.name
        if len(n.args) <= isinstance(n.func, ast.Name)  # else it makes something different
    ]
    rebuilt = [n for n in again if _rebuilds(n, source)]
    if rebuilt and matters(place, place.passed) and _only_copies(source):
        yield claim(
            place,
            BottleneckKind.DEEPCOPY,
            samples=place.passed,
            confidence=0.75,
            evidence="it copies every object below its argument, and itself calls itself for each",
            nodes=rebuilt,
        )


def _by_levels(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """Copies of the elements of elements, as `[[dict(cell) for cell in row] for row in rows]`."""
    nodes = [n for n in source.nodes if isinstance(n, ast.Call) and _copies_element(n, source)]
    samples = place.charged_on(*nodes)
    if nodes and is_called_often(place) and matters(place, samples):
        yield claim(
            place,
            BottleneckKind.DEEPCOPY,
            samples=samples,
            confidence=0.8,
            evidence=f"`{text(nodes[0])}` for each element of each element copies all of it",
            nodes=nodes,
        )


def _copies_element(node: ast.Call, source: FunctionSource) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="dict" | "list" | "set"), args=[ast.Name(id=copied)]):
            pass
        case ast.Call(func=ast.Attribute(value=ast.Name(id=copied), attr="copy"), args=[]):
            pass
        case _:
            return False
    loops = source.loops_around(node)
    return len(loops) >= 2 and copied in element_names(loops)


def _rebuilds(node: ast.Call, source: FunctionSource) -> bool:
    """Whether a recursive call makes an element of a new container, or a part of a new object."""
    parent = source.module.parents.get(node)
    value: ast.AST = node
    while isinstance(parent, ast.IfExp):
        value, parent = parent, source.module.parents.get(parent)
    match parent:
        case ast.ListComp(elt=made) | ast.DictComp(value=made) | ast.SetComp(elt=made):
            return made is value and not isinstance(source.module.parents.get(parent), ast.Expr)
        case ast.GeneratorExp():
            user = source.module.parents.get(parent)
            return isinstance(user, ast.Call) and method(user) in {"tuple", "list", "dict", "set"}
        case ast.Assign(targets=[ast.Subscript()]):
            return True
        case ast.Call(func=ast.Attribute(attr="append")):
            return True
        case _:
            return False


def _only_copies(source: FunctionSource) -> bool:
    """Whether leaves come out as they went in, and nothing is worked out on the way."""
    names = source.parameters
    leaves = [n.value for n in source.nodes if isinstance(n, ast.Return)]
    plain = any(
        (isinstance(leaf, ast.Name) and leaf.id in names)
        or (isinstance(leaf, ast.Call) and method(leaf) in {"copy", source.node.name})
        or (isinstance(leaf, ast.Call) and _makes_its_class(leaf, source))
        for leaf in leaves
    )
    called = (n for n in source.nodes if isinstance(n, ast.Call))
    return plain and not _converts(source) and all(_is_of_a_copy(n, source) for n in called)


def _is_of_a_copy(call: ast.Call, source: FunctionSource) -> bool:
    name = method(call)
    is_class = name[:1].isupper() or not name  # `type(node)(...)` has no name
    return is_class or name in {*COPYING, source.node.name} or _makes_its_class(call, source)


def _converts(source: FunctionSource) -> bool:
    """Whether it makes containers of other types than it asks for: lists into tuples."""
    asked = set[str]()
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kinds]):
                asked |= heads(kinds)
            case _:
                pass
    made = {
        {ast.ListComp: "list", ast.DictComp: "dict", ast.SetComp: "set"}.get(type(node), "")
        for node in source.nodes
    }
    made |= {method(n) for n in source.nodes if isinstance(n, ast.Call)} & CONTAINERS
    return bool(asked & CONTAINERS) and not asked & made and not _fills(source)


def _fills(source: FunctionSource) -> bool:
    """Whether it fills a container that it made empty."""
    return any(isinstance(n, ast.List | ast.Dict | ast.Set) for n in source.nodes)


def _makes_its_class(leaf: ast.Call, source: FunctionSource) -> bool:
    made = ast.unparse(leaf.func)
    owner = source.owner.name if source.owner else ""
    return made in {owner, "type(self)", "self.__class__", "cls"}


def _round_trips(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """`json.loads(json.dumps(x))`, also where what is dumped gets a name first."""
    dumped = {
        target.id: node.value
        for node in source.nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in source.nodes:
        if not isinstance(node, ast.Call) or not node.args:
            continue
        what = node.args[0]
        source_of = dumped.get(what.id) if isinstance(what, ast.Name) else what
        load, dump = callee(node, of=source), ROUND_TRIPS.get(callee(node, of=source))
        if dump is None or not isinstance(source_of, ast.Call):
            continue
        samples = place.charged_on(node) if source_of is what else place.charged
        if callee(source_of, of=source) == dump and matters(place, samples):
            yield claim(
                place,
                BottleneckKind.DEEPCOPY,
                samples=samples,
                confidence=0.75,
                evidence=f"{load} of what {dump} made copies by writing all out and reading it",
                nodes=[node],
            )


def _below_deepcopy(run: Run) -> dict[Function, set[int]]:
    """Samples by the own function that called the outermost deepcopy directly."""
    found: dict[Function, set[int]] = defaultdict(set)
    for number, sample in enumerate(run.samples):
        for before, step in pairwise(sample.steps):
            in_copy = not step.own and step.function.file.endswith("/copy.py")
            if in_copy and before.own and simple(step.function) == "deepcopy":
                found[before.function].add(number)
                break
    return found


_TEXT = """
    import copy
    def snapshot(state):
        return copy.deepcopy(state)
    def load(state):
        return dict(state)
"""
RULE = KindRule(
    id="deep-copy",
    kind=BottleneckKind.DEEPCOPY,
    title="Copy only what changes",
    why="deepcopy visits every object in Python code and remembers each one.",
    limits="Objects that copy themselves by other means are not seen.",
    find=find,
    fires_on=example(_TEXT, ("copy.deepcopy(state)", ("copy.py", "deepcopy"))),
    silent_on=example(_TEXT, ("dict(state)",)),
)
