"""Exceptions are raised and caught so often that they cost more than the work."""

from __future__ import annotations

import ast
from collections import defaultdict
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
from perfwright.profiling.diagnosis.kinds.start_up import is_failing_import
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import dotted
from perfwright.profiling.model import Function

RAISED = 0.15  # of the time of a `try` statement in its handlers: then its body raises often
TRACEBACKS = ("traceback.py", "linecache.py")
STACKS = ("extract_stack", "format_stack", "print_stack", "walk_stack")
"""They read the stack where nothing was raised."""
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException", ""}


def find(run: Run) -> Iterator[Claim]:
    """Yield `try` statements whose handlers ran often, and who formats tracebacks."""
    for place, source in readable(run):
        for node in source.nodes:
            if isinstance(node, ast.Try) and node.handlers and is_repeated(place, node):
                yield from _caught(place, node)
        yield from _formatted(place)
    yield from _missing_modules(run)


def _caught(place: Place, node: ast.Try) -> Iterator[Claim]:
    # A handler's line is only reached when something was raised; raising and unwinding are
    # charged to the lines of the body.
    handled = _handled(place, node)
    body = place.passed_on(*node.body)
    if place.run.seconds(handled) < RAISED * place.run.seconds(handled | body):
        body = frozenset()  # most of what it tries succeeds
    if matters(place, handled, part=0.12):
        yield claim(
            place,
            BottleneckKind.EXCEPTION_HEAVY,
            samples=handled | body,
            confidence=0.75,
            evidence=f"exceptions raised and caught in a loop, {percent(place, handled)} in the "
            "handlers alone",
            nodes=[node.handlers[0]],
        )


def _formatted(place: Place) -> Iterator[Claim]:
    tracing = frozenset[int]().union(*(place.with_foreign(file) for file in TRACEBACKS))
    tracing -= place.with_foreign("traceback.py", *STACKS)
    if matters(place, tracing):
        yield claim(
            place,
            BottleneckKind.EXCEPTION_HEAVY,
            samples=tracing,
            confidence=0.8,
            evidence="tracebacks are formatted, which reads source files",
        )


def _missing_modules(run: Run) -> Iterator[Claim]:
    """Who catches the error of an import that fails again and again."""
    found: dict[Function, set[int]] = defaultdict(set)
    times: dict[Function, int] = {}
    for number, sample in enumerate(run.samples):
        if not is_failing_import(run, sample):
            continue
        owners = [step for step in reversed(sample.steps) if step.own]
        for step in owners:
            if _catches_import_error(run.source(step.function), step.line):
                found[step.function].add(number)
                times[step.function] = run.called.get(owners[0].function, 0)
                break
    for function, samples in found.items():
        place = run.ensure(function)
        if matters(place, samples):
            yield claim(
                place,
                BottleneckKind.EXCEPTION_HEAVY,
                samples=frozenset(samples),
                confidence=0.8,
                evidence="imports of modules that are not there, and errors caught, in "
                f"{times[function]} calls: Python does not remember what it did not find",
            )


def _catches_import_error(source: FunctionSource | None, line: int) -> bool:
    for node in source.nodes if source else ():
        if isinstance(node, ast.Try) and node.body[0].lineno <= line <= _last_line(node.body):
            for handler in node.handlers:
                caught = (
                    handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
                )
                if any(dotted(each).rpartition(".")[2] in IMPORT_ERRORS for each in caught):
                    return True
    return False


def _last_line(body: list[ast.stmt]) -> int:
    return body[-1].end_lineno or body[-1].lineno


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
