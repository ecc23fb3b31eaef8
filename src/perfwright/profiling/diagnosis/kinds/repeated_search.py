"""Several searches set out from one place, and all but the nearest find are found again later."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.syntax import method

SEARCHES = {"search", "find", "index"}


def find(run: Run) -> Iterator[Claim]:
    """Yield `while` loops whose turns search for several things from where they stand."""
    for place, source in readable(run):
        for loop in source.nodes:
            if not isinstance(loop, ast.While):
                continue
            for where, nodes in _searches(loop).items():
                samples = place.landed_on(*nodes)
                if len(nodes) >= 2 and matters(place, samples):
                    yield claim(
                        place,
                        BottleneckKind.QUADRATIC,
                        samples=samples,
                        confidence=0.65,
                        evidence=f"{len(nodes)} searches begin at `{where}` in each turn, and only "
                        "the nearest find is used",
                        nodes=nodes,
                    )


def _searches(loop: ast.While) -> dict[str, list[ast.Call]]:
    """Calls such as `text.find(what, at)`, by the text of their last argument."""
    found: dict[str, list[ast.Call]] = defaultdict(list)
    for node in ast.walk(loop):
        if isinstance(node, ast.Call) and method(node) in SEARCHES and len(node.args) >= 2:
            found[ast.unparse(node.args[-1])].append(node)
    return found


_TEXT = """
    def unquote(text):
        at = 0
        while at < len(text):
            octal = OCTAL.search(text, at)
            quote = QUOTE.search(text, at)
            at = nearest(octal, quote)
    def words(text):
        at = 0
        while at >= 0:
            at = text.find(" ", at)
"""
RULE = KindRule(
    id="repeated-search",
    kind=BottleneckKind.QUADRATIC,
    title="Remember where each was found, or search for all with one pattern",
    why="What lies far ahead is searched for again, over the same text, in each turn.",
    limits="Whether the finds lie far ahead is read from the time alone.",
    find=find,
    fires_on=example(_TEXT, ("quote = QUOTE",)),
    silent_on=example(_TEXT, ('text.find(" "',)),
)
