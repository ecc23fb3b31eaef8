"""Objects are asked at run time what they are, again and again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.constants import constant
from perfwright.profiling.diagnosis.evidence import (
    claim,
    is_called_often,
    matters,
    readable,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import Sample, is_file, simple
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import method, text

LIBRARIES = {
    "inspect.py": None,
    "typing.py": None,
    "annotationlib.py": None,
    "pkgutil.py": None,
    "importlib/metadata/__init__.py": None,
    "importlib/resources/": None,
    # What a dataclass does in its own methods, as to show itself, asks for no types.
    "dataclasses.py": ("fields", "asdict", "astuple", "replace", "dataclass", "make_dataclass"),
}
MIN_COUNTED = 0.2
PLAIN = {"cast", "overload", "isgenerator", "iscoroutine", "isfunction", "ismethod", "isclass",
         "isawaitable", "ismodule", "isbuiltin", "isroutine", "isgeneratorfunction",
         "iscoroutinefunction", "currentframe", "unwrap"}  # fmt: skip
"""Questions of `inspect` and `typing` that are answered at once."""


def find(run: Run) -> Iterator[Claim]:
    """Yield functions whose time goes to `inspect`, `typing` and the like, or to `getattr`."""
    for place, source in readable(run):
        below = frozenset(n for n in place.charged if _asks_for_types(run.samples[n]))
        if matters(place, below) and is_called_often(place):
            yield claim(
                place,
                BottleneckKind.REFLECTION,
                samples=below,
                confidence=0.8,
                evidence=f"{_library(place, below)} works out what a type is made of at each call",
            )
        else:
            yield from _looked_up(place, source)


def _asks_for_types(sample: Sample) -> bool:
    """Whether what it executes was called to say what something is made of."""
    for file, names in LIBRARIES.items():
        inside = [step.function for step in sample.foreign if is_file(step.function.file, file)]
        if inside and simple(inside[0]) not in PLAIN:
            return names is None or simple(inside[0]) in names
    return False


def _looked_up(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """Attributes by names that are not in the text, again and again."""
    nodes = [
        node
        for node in source.nodes
        if isinstance(node, ast.Call)
        and _is_dynamic(node, source)
        and not place.run.is_quick(place.function, method(node))
        and (source.loops_around(node) or (method(node) == "dir" and is_called_often(place)))
    ]
    samples = place.landed_on(*nodes)
    if nodes and matters(place, samples, part=0.5) and _takes_most(place, nodes, samples=samples):
        count = place.run.counted(place.function, method(nodes[0]))
        yield claim(
            place,
            BottleneckKind.REFLECTION,
            samples=samples,
            confidence=0.65,
            evidence=f"`{text(nodes[0])}` looks names up at run time"
            + (f", {count:,} times" if count else " in a loop"),
            nodes=nodes[:3],
        )


def _takes_most(place: Place, nodes: list[ast.Call], *, samples: frozenset[int]) -> bool:
    """Whether counted times, if there are any, do not say that the rest of the lines took it."""
    took_s = 0.0
    for name in {method(node) for node in nodes}:
        each_s = place.run.seconds_each_call(place.function, name)
        if each_s is None:
            return True
        took_s += each_s * place.run.counted(place.function, name)
    return took_s >= MIN_COUNTED * place.run.seconds(samples)


def _library(place: Place, samples: frozenset[int]) -> str:
    steps = (step for n in samples for step in place.run.samples[n].foreign)
    names = [s.function.file.rpartition("/")[2].removesuffix(".py") for s in steps]
    return max(set(names), key=names.count)


def _is_dynamic(node: ast.Call, source: FunctionSource) -> bool:
    """Whether a name is looked up that the source does not spell, or all names of an object."""
    match node.func:
        case ast.Name(id="getattr" | "hasattr" | "setattr"):
            return len(node.args) > 1 and constant(node.args[1], source) is None
        case ast.Name(id="dir"):
            return True
        case _:
            return False


_TEXT = """
    import inspect
    def call(handler, values):
        names = inspect.signature(handler).parameters
        return handler(**{name: values[name] for name in names})
    def serve(requests):
        for request in requests:
            call(request.handler, request.values)
"""
RULE = KindRule(
    id="reflection",
    kind=BottleneckKind.REFLECTION,
    title="Work it out once for each type and keep it",
    why="inspect and typing build many objects to answer, and remember nothing.",
    limits="Libraries that reflect on their own behalf look the same.",
    find=find,
    fires_on=example(
        _TEXT, ("call(request.handler", "inspect.signature", ("inspect.py", "signature"))
    ),
    silent_on=example(_TEXT, ("call(request.handler", "return handler(")),
)
