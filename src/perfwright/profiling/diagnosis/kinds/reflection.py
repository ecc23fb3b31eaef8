"""Objects are asked at run time what they are, again and again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import (
    claim,
    is_called_often,
    is_repeated,
    matters,
    readable,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import callee, text

LIBRARIES = (
    "inspect.py",
    "typing.py",
    "dataclasses.py",
    "ast.py",
    "pkgutil.py",
    "annotationlib.py",
)
METADATA = ("importlib/metadata/__init__.py", "importlib/resources/")
BUILTINS = {"getattr", "hasattr", "setattr", "dir", "vars", "isinstance", "issubclass", "type"}


def find(run: Run) -> Iterator[Claim]:
    """Yield functions whose time goes to `inspect`, `typing` and the like, or to `getattr`."""
    for place, source in readable(run):
        below = frozenset[int]().union(*(place.with_foreign(f) for f in (*LIBRARIES, *METADATA)))
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


def _looked_up(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """Attributes by names that are not in the text, again and again."""
    nodes = [
        node
        for node in source.nodes
        if isinstance(node, ast.Call) and callee(node, of=source) in BUILTINS
    ]
    dynamic = [node for node in nodes if _is_dynamic(node)]
    samples = place.landed_on(*(node for node in nodes if is_repeated(place, node)))
    if dynamic and matters(place, samples, part=0.5):
        yield claim(
            place,
            BottleneckKind.REFLECTION,
            samples=samples,
            confidence=0.65,
            evidence=f"`{text(dynamic[0])}` looks names up at run time in a loop",
            nodes=dynamic[:3],
        )


def _library(place: Place, samples: frozenset[int]) -> str:
    steps = (step for n in samples for step in place.run.samples[n].foreign)
    names = [s.function.file.rpartition("/")[2].removesuffix(".py") for s in steps]
    return max(set(names), key=names.count)


def _is_dynamic(node: ast.Call) -> bool:
    """Whether a name is looked up that the source does not spell, or all names of an object."""
    match node.func:
        case ast.Name(id="getattr" | "hasattr" | "setattr"):
            return len(node.args) > 1 and not isinstance(node.args[1], ast.Constant)
        case ast.Name(id="dir" | "vars"):
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
