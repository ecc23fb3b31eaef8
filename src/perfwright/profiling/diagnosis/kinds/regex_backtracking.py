"""A regular expression tries the same text in ever more ways before it gives up."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.constants import constant
from perfwright.profiling.diagnosis.evidence import claim, matters, readable
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.patterns import explodes
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import FunctionSource, ModuleSource
from perfwright.profiling.diagnosis.syntax import callee, dotted, method

METHODS = {"match", "search", "fullmatch", "sub", "subn", "findall", "finditer", "split"}
SEARCHING = METHODS - {"match", "fullmatch"}
MAX_DEPTH = 5  # of names assigned from one another
QUICK_S = 20e-6  # for a match: whatever the pattern, it did not backtrack for long


def find(run: Run) -> Iterator[Claim]:
    """Yield uses of patterns that can take exponential or quadratic time, where they take time."""
    for place, source in readable(run):
        for call in source.nodes:
            if not isinstance(call, ast.Call) or method(call) not in METHODS:
                continue
            samples = place.charged_on(call)
            if not matters(place, samples, part=0.4) or _is_quick(place, samples):
                continue
            for pattern, certainty in _patterns(place, source, call=call):
                how = explodes(pattern, anywhere=method(call) in SEARCHING)
                if how:
                    exact = 1.0 if how.startswith("a repeat w") else 0.8
                    yield claim(
                        place,
                        BottleneckKind.REGEX_BACKTRACKING,
                        samples=samples,
                        confidence=certainty * exact,
                        evidence=f"the pattern {_short(pattern)} has {how}",
                        nodes=[call],
                    )
                    break


def _is_quick(place: Place, samples: frozenset[int]) -> bool:
    return place.run.seconds(samples) < QUICK_S * (place.calls or 0)


def _patterns(
    place: Place, source: FunctionSource, *, call: ast.Call
) -> Iterator[tuple[str | bytes, float]]:
    """Texts of the patterns that a call may use, surest first."""
    if callee(call, of=source).startswith("re.") and call.args:
        yield from ((text, 0.9) for text in _texts(call.args[0], source))
        return
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if receiver is None:
        return
    known = list(_texts(receiver, source))
    yield from ((text, 0.9) for text in known)
    if known:
        return
    guessed = 0.75 if place.calls else 0.6  # where no count tells that a match takes long
    for module in [source.module, *_imported(place.run, source)]:
        yield from ((text, guessed) for text in _compiled(module.tree))


def _texts(node: ast.expr, source: FunctionSource, *, depth: int = 0) -> Iterator[str | bytes]:
    if depth > MAX_DEPTH:  # a name may be assigned from itself
        return
    match node:
        case ast.Call(args=[pattern, *_]) if callee(node, of=source) == "re.compile":
            yield from _texts(pattern, source, depth=depth + 1)
        case ast.Name() | ast.Attribute():
            name = dotted(node).rpartition(".")[2]
            for value in _assigned(name, source):
                if not isinstance(value, ast.Name | ast.Attribute):
                    yield from _texts(value, source, depth=depth + 1)
        case _:
            known = constant(node, source)
            if isinstance(known, str | bytes):
                yield known


def _assigned(name: str, source: FunctionSource) -> Iterator[ast.expr]:
    """All that the module assigns to a name or attribute of this last part."""
    for node in source.module.parents:
        match node:
            case ast.Assign(targets=targets, value=value):
                if any(dotted(t).rpartition(".")[2] == name for t in targets):
                    yield value
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                if dotted(target).rpartition(".")[2] == name:
                    yield value
            case _:
                pass


def _imported(run: Run, source: FunctionSource) -> Iterator[ModuleSource]:
    """Own modules whose name the function's module imports."""
    names = {part for full in source.module.imports.values() for part in full.split(".")}
    for file in run.profile.sources:
        if file.rpartition("/")[2].removesuffix(".py") in names and run.own.owns_file(file):
            module = run.module(file)
            if module is not None and module is not source.module:
                yield module


def _compiled(tree: ast.Module) -> Iterator[str | bytes]:
    """Constant patterns that a module compiles, wherever."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="compile") | ast.Name(id="compile"),
                args=[ast.Constant(value=str() | bytes() as value), *_],
            ):
                yield value
            case _:
                pass


def _short(pattern: str | bytes) -> str:
    shown = repr(pattern)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


_TEXT = """
    import re
    NAMES = re.compile(r"^(\\w+\\s?)*$")
    WORD = re.compile(r"\\w+")
    def check(text):
        return NAMES.match(text)
    def words(text):
        return WORD.findall(text)
"""
RULE = KindRule(
    id="regex-backtracking",
    kind=BottleneckKind.REGEX_BACKTRACKING,
    title="Write the pattern so that each text can match in one way only",
    why="A repeat within a repeat doubles the ways to try with each character.",
    limits="Patterns built at run time cannot be read.",
    find=find,
    fires_on=example(_TEXT, ("NAMES.match",)),
    silent_on=example(_TEXT, ("WORD.findall",)),
)
