"""Messages for a log cost more than the work that they tell of."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, is_repeated, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.samples import is_file
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import dotted, text
from perfwright.profiling.model import Function

LEVELS = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "trace"}
LOGGER = ("log", "logger", "logging", "_log", "_logger", "lg")
FORMATTERS = ("logging/", "loguru/", "structlog/")


def find(run: Run) -> Iterator[Claim]:
    """Yield functions whose calls of a logger, or what is computed for them, take much time."""
    yield from _for_each_record(run)
    for place, source in readable(run):
        nodes: list[ast.Call | ast.Assign] = [
            node for node in source.nodes if isinstance(node, ast.Call) and is_log(node)
        ]
        nodes += _guarded(source)
        samples = place.passed_on(*nodes)
        samples |= frozenset[int]().union(*(place.with_foreign(end) for end in FORMATTERS))
        repeated = not nodes or any(is_repeated(place, node) for node in nodes)
        if repeated and matters(place, samples, part=0.25):
            hot = [n for n in nodes if place.passed_on(n)]
            what = f"`{text(hot[0])}` and what it formats" if hot else "the logging package"
            yield claim(
                place,
                BottleneckKind.LOGGING,
                samples=samples,
                confidence=0.85,
                evidence=what,
                nodes=sorted(hot, key=lambda n: -run.seconds(place.passed_on(n)))[:3],
            )


def _for_each_record(run: Run) -> Iterator[Claim]:
    """Own filters, formatters and handlers, and what they call: the logging package calls them."""
    below: dict[Function, set[int]] = defaultdict(set)
    for number, sample in enumerate(run.samples):
        before = sample.steps[: max(sample.near, 0)]
        if any(is_file(step.function.file, end) for step in before for end in FORMATTERS):
            below[sample.steps[sample.near].function].add(number)
    for function, numbers in below.items():
        place, samples = run.ensure(function), frozenset(numbers)
        if matters(place, samples):
            yield claim(
                place,
                BottleneckKind.LOGGING,
                samples=samples,
                confidence=0.85,
                evidence="the logging package calls this, or what calls this, for each record",
            )


def is_log(node: ast.Call) -> bool:
    """Whether a call looks like one of a logger."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in LEVELS:
        return False
    owner = node.func.value
    if isinstance(owner, ast.Call):
        return dotted(owner.func).endswith("getLogger") or is_log(owner)
    name = dotted(owner).rpartition(".")[2].lower()
    return name in LOGGER or name.endswith(("logger", "_log"))


def _guarded(source: FunctionSource) -> Iterator[ast.Assign]:
    """Assignments of what only logger calls use."""
    used: dict[str, list[bool]] = {}
    in_log = {
        id(name)
        for node in source.nodes
        if isinstance(node, ast.Call) and is_log(node)
        for name in ast.walk(node)
    }
    for node in source.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used.setdefault(node.id, []).append(id(node) in in_log)
    for node in source.nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) if used.get(name) and all(used[name]):
                yield node


_TEXT = """
    import logging
    log = logging.getLogger(__name__)
    def accept(readings):
        for reading in readings:
            log.debug(f"accepting {reading!r}")
            store(reading)
"""
RULE = KindRule(
    id="log-calls",
    kind=BottleneckKind.LOGGING,
    title="Let the logger format, and only what is written",
    why="An f-string is built before the logger can see that its level is off.",
    limits="Loggers are known by their names and methods.",
    find=find,
    fires_on=example(_TEXT, ("log.debug",)),
    silent_on=example(_TEXT, ("store(reading)",)),
)
