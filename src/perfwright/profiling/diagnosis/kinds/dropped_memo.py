"""What was remembered for many keys is forgotten as a whole when one of them changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfwright.profiling.bottleneck import BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.evidence import MIN_SHARE, OFTEN, claim
from perfwright.profiling.diagnosis.examples import example
from perfwright.profiling.diagnosis.purity import is_cached
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.diagnosis.source import MAKERS, FunctionSource
from perfwright.profiling.diagnosis.syntax import MUTATORS, dotted, heads, text

Drop = tuple[ast.AST, str]
"""What empties a memo, and the memo's path or the name of the cached function."""


def find(run: Run) -> Iterator[Claim]:
    """Yield functions that change one entry and empty a memo of many."""
    for source in run.functions:
        if run.called.get(source.function, 0) >= OFTEN and source.node.name not in MAKERS:
            drops = [d for d in _drops(source) if not _is_limit(source, d)]
            if drops and _changes_one(source):
                yield from _judge(run, source, drops=drops)


def _judge(run: Run, source: FunctionSource, *, drops: list[Drop]) -> Iterator[Claim]:
    samples, fillers, nodes = set[int](), list[str](), list[ast.AST]()
    for node, path in drops:
        for other in source.module.functions:
            refilling = (
                _refilling(run, other, path=path) if _shares(other, source, path=path) else None
            )
            if refilling and other is not source:
                samples |= refilling
                fillers.append(other.node.name)
                nodes.append(node)
    if run.share(samples) < MIN_SHARE:
        return
    yield claim(
        run.ensure(source.function),
        BottleneckKind.REPEATED_WORK,
        samples=frozenset(samples),
        confidence=0.75,
        evidence=f"`{text(nodes[0])}` empties all that {' and '.join(sorted(set(fillers)))} "
        f"remembered at each of {run.called[source.function]} calls, whatever changed, and it is "
        "worked out again",
        nodes=nodes,
    )


def _drops(source: FunctionSource) -> Iterator[Drop]:
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=memo, attr="clear"), args=[]) if dotted(memo):
                yield node, dotted(memo)
            case ast.Call(func=ast.Attribute(value=memo, attr="cache_clear")) if dotted(memo):
                yield node, dotted(memo).rpartition(".")[2]
            case ast.Assign(targets=[ast.Attribute() as memo], value=ast.Dict(keys=[])):
                yield node, dotted(memo)
            case ast.Assign(
                targets=[ast.Attribute() as memo], value=ast.Call(func=ast.Name(id="dict"), args=[])
            ):
                yield node, dotted(memo)
            case _:
                pass


def _is_limit(source: FunctionSource, drop: Drop) -> bool:
    """Whether it is emptied only when it has grown too large."""
    node, path = drop
    parent = source.module.parents.get(node)
    while parent is not None and parent is not source.node:
        if isinstance(parent, ast.If) and any(dotted(n) == path for n in ast.walk(parent.test)):
            return True
        parent = source.module.parents.get(parent)
    return False


def _changes_one(source: FunctionSource) -> bool:
    """Whether it stores one entry under a key that it was given, or changes that entry."""
    for node in source.nodes:
        match node:
            case ast.Subscript(slice=key, ctx=ast.Store() | ast.Del()):
                pass
            case ast.Call(func=ast.Attribute(value=ast.Subscript(slice=key), attr=attr)) if (
                attr in MUTATORS
            ):
                pass
            case ast.Attribute(value=ast.Subscript(slice=key), ctx=ast.Store()):
                pass
            case _:
                continue
        if heads(key) & source.parameters:
            return True
    return False


def _shares(other: FunctionSource, source: FunctionSource, *, path: str) -> bool:
    return not path.startswith("self.") or other.owner is source.owner


def _refilling(run: Run, source: FunctionSource, *, path: str) -> frozenset[int]:
    """Samples of what works out an entry of a memo that was not in it."""
    place = run.place(source.function)
    if place is None:
        return frozenset()
    if source.node.name == path and is_cached(source):
        return place.passed
    found = frozenset[int]()
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            guard = _guard(source, node, path=path) if dotted(node.value) == path else None
            found |= place.passed_on(*guard) if guard else frozenset()
    return found


def _guard(source: FunctionSource, store: ast.AST, *, path: str) -> list[ast.stmt]:
    """The statements that run only where the memo had no entry."""
    node, parent = store, source.module.parents.get(store)
    while parent is not None and parent is not source.node:
        if isinstance(parent, ast.ExceptHandler):
            return parent.body
        if isinstance(parent, ast.If) and node in parent.body:
            asked = {dotted(n) for n in ast.walk(parent.test)} - {""}
            if path in asked or any(_comes_from(source, name, path=path) for name in asked):
                return parent.body
        node, parent = parent, source.module.parents.get(parent)
    return []


def _comes_from(source: FunctionSource, name: str, *, path: str) -> bool:
    """Whether a name was looked up in the memo: `known = memo.get(key)`."""
    return any(
        any(dotted(n) == path for n in ast.walk(value)) for value in source.assigned.get(name, ())
    )


_TEXT = """
    class Prices:
        def set(self, item, price):
            self.prices[item] = price
            self.totals.clear()
        def total(self, basket):
            if basket.id not in self.totals:
                self.totals[basket.id] = sum(self.prices[item] for item in basket)
            return self.totals[basket.id]
    class Bounded:
        def set(self, item, price):
            self.prices[item] = price
            if len(self.totals) > 1000:
                self.totals.clear()
        def total(self, basket):
            if basket.id not in self.totals:
                self.totals[basket.id] = min(self.prices[item] for item in basket)
            return self.totals[basket.id]
    def watch(prices, changes, baskets):
        for item, price in changes:
            prices.set(item, price)
            show(prices.total(basket) for basket in baskets)
"""
_CALLS = {("def watch", "def set"): 1000}
RULE = KindRule(
    id="dropped-memo",
    kind=BottleneckKind.REPEATED_WORK,
    title="Forget only what the change made wrong",
    why="What was remembered for all other keys is worked out again though it was still right.",
    limits="Whether a change touches all entries is not known.",
    find=find,
    fires_on=example(_TEXT, ("show(prices.total", "= sum("), calls=_CALLS),
    silent_on=example(
        _TEXT,
        ("show(prices.total", "= min("),
        calls={("def watch", "def set"): 1000},
    ),
)
