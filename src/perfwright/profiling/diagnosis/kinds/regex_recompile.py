"""Regular expressions are compiled again and again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import claim, is_repeated, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.diagnosis.syntax import calls, derived_from_input, heads, method, text

COMPILER = ("re/_compiler.py", "re/_parser.py", "sre_compile.py", "sre_parse.py")
QUICK_S = 10e-6  # for all that one match takes
FUNCTIONS = ("match", "search", "fullmatch", "sub", "subn", "findall", "finditer", "split")


def find(run: Run) -> Iterator[Claim]:
    """Yield the functions below which the compiler of `re`, or its cache, takes much time."""
    for place, source in readable(run):
        yield from _built(place, source)
        compiling = frozenset[int]().union(*(place.with_foreign(file) for file in COMPILER))
        looking = place.with_foreign("re/__init__.py", "_compile", "compile")
        looking |= place.with_foreign("re.py", "_compile", "compile")
        samples = compiling | looking
        if not matters(place, samples, part=0.2):
            continue
        nodes = [
            node
            for node in calls(source, "re.compile", *(f"re.{name}" for name in FUNCTIONS))
            if place.passed_on(node) & samples
        ]
        if nodes and not any(is_repeated(place, node) for node in nodes):
            continue
        if nodes and all(_is_kept(place, source, node=node) for node in nodes):
            continue
        yield claim(
            place,
            BottleneckKind.REGEX_RECOMPILE,
            samples=samples,
            confidence=0.9 if run.share(compiling) > 0.5 * run.share(samples) else 0.75,
            evidence="the pattern is compiled, or looked up in the cache of re, at each use",
            nodes=nodes,
        )


def _built(place: Place, source: FunctionSource) -> Iterator[Claim]:
    """Patterns put together again from the same parts for each quick match."""
    tainted = derived_from_input(source)
    nodes = [
        node
        for node in calls(source, *(f"re.{name}" for name in FUNCTIONS))
        if node.args
        and isinstance(node.args[0], ast.BinOp | ast.JoinedStr | ast.Call)
        and heads(node.args[0])
        and not heads(node.args[0]) & tainted
        and is_repeated(place, node)
    ]
    samples = place.charged_on(*nodes)
    names = {method(node) for node in nodes}
    times = sum(place.run.edges.get((place.function, name), 0) for name in names)
    if nodes and matters(place, samples) and place.run.seconds(samples) < QUICK_S * times:
        yield claim(
            place,
            BottleneckKind.REGEX_RECOMPILE,
            samples=samples,
            confidence=0.7,
            evidence=f"`{text(nodes[0])}` puts the same pattern together and looks it up in the "
            f"cache of re for each of {times} matches, of "
            f"{1e6 * place.run.seconds(samples) / times:.1f} us each",
            nodes=nodes,
        )


def _is_kept(place: Place, source: FunctionSource, *, node: ast.Call) -> bool:
    """Whether it compiles only what it has not compiled yet: few compile, or a test guards it."""
    if method(node) != "compile":
        return False
    compiled = place.run.edges.get((place.function, "compile"), 0)
    if place.calls and compiled:
        return compiled < 0.5 * place.calls and not source.loops_around(node)
    around = source.module.parents.get(node)
    while around is not None and around is not source.node:
        if isinstance(around, ast.If) and any(
            isinstance(n, ast.Is | ast.NotIn | ast.Not) for n in ast.walk(around.test)
        ):
            return True
        around = source.module.parents.get(around)
    return False


_TEXT = """
    import re
    def words(rows):
        for row in rows:
            rule = re.compile(row.rule)
            yield rule.findall(row.text)
"""
RULE = KindRule(
    id="regex-recompile",
    kind=BottleneckKind.REGEX_RECOMPILE,
    title="Compile the pattern once",
    why="Compiling costs hundreds of times a match; the cache of re holds 512 patterns.",
    limits="Compiling while modules are imported is left to start-up.",
    find=find,
    fires_on=example(_TEXT, ("re.compile(row.rule)", ("re/_compiler.py", "compile"))),
    silent_on=example(_TEXT, ("rule.findall",)),
)
