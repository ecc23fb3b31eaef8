"""Exceptions are raised and caught so often that they cost more than the work."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import (
    claim,
    is_repeated,
    matters,
    percent,
    readable,
)
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run

TRACEBACKS = ("traceback.py", "linecache.py")


def find(run: Run) -> Iterator[Claim]:
    """Yield `try` statements whose handlers ran often, and who formats tracebacks."""
    for place, source in readable(run):
        for node in source.nodes:
            if isinstance(node, ast.Try) and node.handlers and is_repeated(place, node):
                yield from _caught(place, node)
        yield from _formatted(place)


def _caught(place: Place, node: ast.Try) -> Iterator[Claim]:
    # A handler's line is only reached when something was raised; raising and unwinding are
    # charged to the lines of the body.
    handled = _handled(place, node)
    if matters(place, handled, part=0.12):
        yield claim(
            place,
            BottleneckKind.EXCEPTION_HEAVY,
            samples=handled | place.passed_on(*node.body),
            confidence=0.75,
            evidence=f"exceptions raised and caught in a loop, {percent(place, handled)} in the "
            "handlers alone",
            nodes=[node.handlers[0]],
        )


def _formatted(place: Place) -> Iterator[Claim]:
    tracing = frozenset[int]().union(*(place.with_foreign(file) for file in TRACEBACKS))
    if matters(place, tracing):
        yield claim(
            place,
            BottleneckKind.EXCEPTION_HEAVY,
            samples=tracing,
            confidence=0.8,
            evidence="tracebacks are formatted, which reads source files",
        )


def _handled(place: Place, node: ast.Try) -> frozenset[int]:
    """Samples at `except` lines and in their bodies, time of what they call left out."""
    return frozenset().union(
        *(
            place.at[line]
            for handler in node.handlers
            for line in range(handler.lineno, (handler.end_lineno or handler.lineno) + 1)
            if line in place.at
        )
    )


_TEXT = """
    def numbers(cells):
        for cell in cells:
            try:
                yield int(cell)
            except ValueError:
                yield None
"""
RULE = KindRule(
    id="exception-heavy",
    kind=BottleneckKind.EXCEPTION_HEAVY,
    title="Test for the common case before trying",
    why="Raising builds an exception and a traceback and unwinds the stack.",
    limits="Exceptions that never leave C code are not seen.",
    find=find,
    fires_on=example(_TEXT, ("yield int(cell)",), ("except ValueError",)),
    silent_on=example(_TEXT, ("yield int(cell)",)),
)
