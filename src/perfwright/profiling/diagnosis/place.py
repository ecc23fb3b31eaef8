"""One function of the user and what it cost, line by line."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from perfwright.profiling.diagnosis.landing import landing_lines
from perfwright.profiling.diagnosis.source import FunctionSource
from perfwright.profiling.model import Function

if TYPE_CHECKING:
    from perfwright.profiling.diagnosis.run import Run


@dataclass(eq=False)
class Place:
    """An own function and what it cost."""

    function: Function
    source: FunctionSource | None
    run: Run
    at: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Line to numbers of the samples charged to it."""
    through: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Line to numbers of the samples that passed it, callees' included."""

    @cached_property
    def charged(self) -> frozenset[int]:
        """Samples of its own and of what it called in code that is not own."""
        return frozenset().union(*self.at.values())

    @cached_property
    def passed(self) -> frozenset[int]:
        """Samples of it and all that it called; recursion counts once."""
        return frozenset().union(*self.through.values())

    @property
    def self_s(self) -> float:
        """Charged time."""
        return self.run.seconds(self.charged)

    @property
    def cumulative_s(self) -> float:
        """Time of it and all that it called."""
        return self.run.seconds(self.passed)

    @cached_property
    def calls(self) -> int | None:
        """How often it was called, where that was counted."""
        return self.run.called.get(self.function)

    def charged_on(self, *nodes: ast.AST) -> frozenset[int]:
        """Samples charged to the lines of these nodes."""
        return _on(self.at, nodes)

    def passed_on(self, *nodes: ast.AST) -> frozenset[int]:
        """Samples that passed the lines of these nodes."""
        return _on(self.through, nodes)

    def landed_on(self, *nodes: ast.AST) -> frozenset[int]:
        """Samples charged to the lines of operations, or to where their end is first seen."""
        if self.source is None:
            return self.charged_on(*nodes)
        quick = partial(self.run.is_quick, self.function)
        lines = frozenset[int]().union(
            *(landing_lines(self.source, node, is_quick=quick) for node in nodes)
        )
        found = (n for line in lines & self.at.keys() for n in self.at[line])
        return self.charged_on(*nodes).union(n for n in found if not self.run.samples[n].foreign)

    def into(self, node: ast.AST, callee: str) -> frozenset[int]:
        """Samples that went from these lines into an own function of this simple name."""
        lines = _lines(node)
        return frozenset(
            number
            for number in self.passed_on(node)
            if self.run.goes(number, self.function, lines=lines, callee=callee)
        )

    def with_foreign(self, file_end: str, *names: str) -> frozenset[int]:
        """Samples charged to it that are in a library's file, in one of its functions if named."""
        return frozenset(n for n in self.charged if self.run.in_library(n, file_end, names=names))

    def hottest(self, among: Iterable[int], *, limit: int = 3) -> tuple[int, ...]:
        """Lines of this function in these samples, costliest first."""
        among = set(among)
        cost = {
            line: self.run.seconds(ids & among)
            for line, ids in (self.through if among - self.charged else self.at).items()
            if ids & among
        }
        return tuple(sorted(cost, key=lambda line: -cost[line])[:limit])


def _lines(node: ast.AST) -> range:
    first = getattr(node, "lineno", 0)
    return range(first, (getattr(node, "end_lineno", None) or first) + 1)


def _on(lines: Mapping[int, set[int]], nodes: Iterable[ast.AST]) -> frozenset[int]:
    wanted = {line for node in nodes for line in _lines(node)}
    return frozenset(number for line in wanted & lines.keys() for number in lines[line])
