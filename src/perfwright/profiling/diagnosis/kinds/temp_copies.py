"""Collections are copied again and again only to be read or to be changed a little."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.copying import copies
from perfwright.profiling.diagnosis.evidence import claim, is_repeated, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import method, text


def find(run: Run) -> Iterator[Claim]:
    """Yield copies within loops or recursion."""
    for place, source in readable(run):
        for node in source.nodes:
            certainty = copies(node, source)
            if not certainty or not (is_repeated(place, node) or _calls_itself(source)):
                continue
            samples = place.landed_on(node)
            if matters(place, samples):
                yield claim(
                    place,
                    BottleneckKind.TEMP_COPIES,
                    samples=samples,
                    confidence=certainty,
                    evidence=f"`{text(node)}` copies a whole collection each time",
                    nodes=[node],
                )


def _calls_itself(source: FunctionSource) -> bool:
    return any(isinstance(n, ast.Call) and method(n) == source.node.name for n in source.nodes)


_TEXT = """
    def steps(rows, path):
        for row in rows:
            step = path + [row]
            yield step
        path = []
    def read(rows):
        copy = list(rows)
        return copy
"""
RULE = KindRule(
    id="temp-copies",
    kind=BottleneckKind.TEMP_COPIES,
    title="Read in place, or stream",
    why="A copy touches every element and needs memory for all of them at once.",
    limits="A copy that protects the original from changes looks the same.",
    find=find,
    fires_on=example(_TEXT, ("step = path + [row]",)),
    silent_on=example(_TEXT, ("copy = list(rows)",)),
)
